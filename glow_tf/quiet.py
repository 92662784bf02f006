"""Quiet start of the commands. Only the standard library is imported here."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet_import(active=True):
    """Hides what is written to file descriptor 2 within the context, as TensorFlow's import does; errors still raise.

    No environment variable silences all of TensorFlow's import, and Python's `sys.stderr` does not see it. A library
    must not do this to its user; a command may do it to itself.
    """
    if not active:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def is_command():
    """Whether one of this project's commands is starting: `python -m glow_tf.<command>`, or a script that says so.

    While Python imports the package of a `-m` command, `sys.argv[0]` is "-m".
    """
    return sys.argv[:1] == ["-m"] or "GLOW_TF_COMMAND" in os.environ
