"""Start the commands quietly. Only the standard library is imported here.

TensorFlow writes lines to file descriptor 2 while it is imported and while it looks for GPUs; no environment variable
and no replacement of `sys.stderr` suppresses them. A library must not hide them from its user, but a command may do so
in its own process. The commands here keep the lines, show them if the import fails, and condense them if TensorFlow
does not see a GPU (see `glow_tf.gpus`).
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from glow_tf.cli import start
from glow_tf.errors import GlowError
from glow_tf.gpu_files import card_files

import_messages = ""
"""The text that was written to file descriptor 2 while a command was imported."""


@contextlib.contextmanager
def quiet_import(active: bool = True) -> Iterator[None]:
    """Hide what is written to file descriptor 2 within the context, and show it if an exception ends it.

    After a `GlowError` nothing is shown, because its message says what is wrong.

    Args:
        active: if False, do nothing.
    """
    global import_messages
    if not active:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if card_files() else "3")
    messages: list[str] = []
    try:
        with captured_stderr(messages):
            yield
    except GlowError:
        raise
    except BaseException:
        print(*messages, file=sys.stderr)
        raise
    import_messages = "".join(messages)


@contextlib.contextmanager
def captured_stderr(messages: list[str]) -> Iterator[None]:
    """Append to a list, at the end of the context, the text that was written to file descriptor 2 within it."""
    sys.stderr.flush()
    saved = start.stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            start.stderr = 2
            file.seek(0)
            messages.append(file.read().decode(errors="replace"))
