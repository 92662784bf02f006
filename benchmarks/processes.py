"""Child processes: every measurement has a process of its own, so that none affects another's caches or memory."""

import json
import os
import subprocess
import sys
import time

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": str(os.cpu_count()),
    "OMP_WAIT_POLICY": "PASSIVE",  # a process that waits does not spin
    "KMP_BLOCKTIME": "0",
}

START_TIME = "BENCHMARK_START_TIME"
"""The environment variable that holds when a child was started, in seconds since the epoch."""

MAX_ERROR_LINES = 5


class ChildError(RuntimeError):
    """Raise for a child process that ended without an answer; the message holds its last lines."""


def start(module, *arguments, **options):
    """Start a child process that runs a module of this package.

    Args:
        module: name of the module.
        arguments: words of its command line; converted to strings.
        options: keyword arguments of `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT, START_TIME: repr(time.time())},
        **{"stderr": subprocess.PIPE, **options},
    )


def result(module, *arguments):
    """Run such a child process to its end; return its last line of output, parsed as JSON."""
    child = start(module, *arguments)
    out, errors = child.communicate()
    if child.returncode:
        raise ChildError(f"benchmarks.{module} {' '.join(map(str, arguments))} failed:\n{last_lines(errors)}")
    return json.loads(out.splitlines()[-1])


def since_start():
    """Return the seconds since this child process was started."""
    return time.time() - float(os.environ[START_TIME])


def last_lines(text):
    """Return the end of a long message."""
    return "\n".join(text.strip().splitlines()[-MAX_ERROR_LINES:])
