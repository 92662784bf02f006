"""A quiet start of the commands. Only the standard library is imported here.

TensorFlow writes lines to file descriptor 2 while it is imported and while it looks for GPUs, which no environment
variable and no `sys.stderr` holds back. A library must not hide them from its user. A command of this project may, in
its own process: it keeps them, shows them where the import fails, and condenses them where a GPU is not seen (see
`glow_tf.gpus`).
"""

import contextlib
import itertools
import os
import re
import signal
import sys
import tempfile
import threading

from glow_tf.errors import GlowError
from glow_tf.gpu_files import card_files

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a command that Ctrl-C ended."""

import_messages = ""
"""What was written to file descriptor 2 while a command was imported."""

_saved_stderr = None
"""While file descriptor 2 is redirected: a copy of it as it was."""


@contextlib.contextmanager
def quiet_import(active=True):
    """Start a command within the context: hide what is written to file descriptor 2, and end on Ctrl-C by one line.

    A `GlowError` is one line and exit code 2; any other exception is raised, and what was hidden is shown.

    Args:
        active: False does nothing.
    """
    global import_messages
    if not active:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if card_files() else "3")
    is_child = "__mp_main__" in sys.modules  # of a multiprocessing command, which ends its children itself
    if threading.current_thread() is threading.main_thread() and not is_child:
        signal.signal(signal.SIGINT, end_import)
    messages = []
    try:
        with captured_stderr(messages):
            yield
    except GlowError as error:
        print(f"{command_name()}: {error}", file=sys.stderr)
        sys.exit(2)
    except BaseException:
        print(*messages, file=sys.stderr)
        raise
    import_messages = "".join(messages)


@contextlib.contextmanager
def captured_stderr(messages):
    """Append to a list, at the end of the context, the text that was written to file descriptor 2 within it."""
    global _saved_stderr
    sys.stderr.flush()
    saved = _saved_stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            _saved_stderr = None
            file.seek(0)
            messages.append(file.read().decode(errors="replace"))


def end_import(number, frame):
    """Handle Ctrl-C during the imports, where nothing can be lost: an exception would be a traceback, or be caught."""
    line = f"{command_name()}: interrupted.\n"
    os.write(2 if _saved_stderr is None else _saved_stderr, line.encode(errors="backslashreplace"))
    os._exit(INTERRUPTED)


def is_command():
    """Return whether this process was started as a command of this project.

    That is `python -m glow_tf.NAME`, or a script that sets `GLOW_TF_COMMAND = True` before it imports `glow_tf`
    (`train.py`, `evaluate.py`). Another program that imports `glow_tf` is not one, however it was started.
    """
    if getattr(sys.modules.get("__main__"), "GLOW_TF_COMMAND", False):
        return True
    # While Python imports the package of a `-m` command, `sys.argv` begins with "-m".
    return sys.argv[:1] == ["-m"] and (_module_name() or "").split(".")[0] == "glow_tf"


def command_name():
    """Return the command as the user typed it, without its arguments, such as "train.py"."""
    if getattr(sys.modules.get("__main__"), "GLOW_TF_COMMAND", False):
        return os.path.basename(sys.argv[0])
    return f"python -m {_module_name()}"


def _module_name():
    """Return the module that Python was started with by its option -m; None without it."""
    for word, following in itertools.pairwise([*sys.orig_argv[1:], ""]):
        option = re.fullmatch(r"-[bBdEiIOPqRsSuvx]*m(.*)", word)  # may be joined with flags, or with the module
        if option:
            return option[1] or following
    return None
