"""Child processes: every measurement has a process of its own, so that none warms or crowds another."""

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


class ChildError(RuntimeError):
    """A child process ended without an answer; the message has the last lines that it wrote."""


def start(module, *arguments, **options):
    """A child that runs a module of this package with arguments; `BEGAN` in its environment is the time it began."""
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT, "BEGAN": repr(time.time())},
        **{"stderr": subprocess.PIPE, **options},
    )


def result(module, *arguments):
    """What such a child prints, as JSON."""
    child = start(module, *arguments)
    out, errors = child.communicate()
    if child.returncode:
        raise ChildError(f"benchmarks.{module} {' '.join(map(str, arguments))} failed:\n{last_lines(errors)}")
    return json.loads(out.splitlines()[-1])


def since_start():
    """Seconds since this child began."""
    return time.time() - float(os.environ["BEGAN"])


def last_lines(text, count=5):
    """The end of a long message."""
    return "\n".join(text.strip().splitlines()[-count:])
