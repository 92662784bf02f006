"""The first module that a command imports: whether this process is a command, and how Ctrl-C ends its imports.

This module imports only modules that are built into Python, because until it has run, Ctrl-C gives a traceback.
"""

# `signal` itself would first import `enum`, `functools`, `collections` and others; typeshed does not know this one.
import _signal as signal  # pyright: ignore[reportMissingImports]
import itertools
import os
import sys

CONSOLE_COMMAND = "glow-tf"
"""Name of the command that `pip install` makes."""

SCRIPTS = {
    "train": "python train.py",
    "evaluate": "python evaluate.py",
    "export": "python -m glow_tf.export",
    "convert": "python -m glow_tf.convert",
    "demo": "python -m glow_tf.demo",
}
"""The commands that work in a clone of the repository, without an installation."""

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a command that Ctrl-C ended."""

FLAGS = "bBdEiIOPqRsSuvx"
"""Python's own options of one letter without a value, which may be joined with -m."""

stderr = 2
"""The file descriptor of the terminal's standard error, also while 2 is redirected."""


def is_command() -> bool:
    """Return whether this process was started as a command of this project.

    Commands are `glow-tf`, `python -m glow_tf.NAME`, and scripts that set `GLOW_TF_COMMAND = True` before they import
    `glow_tf` (`train.py`, `evaluate.py`). Any other program that imports `glow_tf` is not a command.
    """
    main = sys.modules.get("__main__")
    if getattr(main, "GLOW_TF_COMMAND", False) or _is_console_command():
        return True
    if sys.argv[:1] == ["-m"]:  # while Python imports the package of the module that -m names
        return (_module_name() or "").split(".")[0] == "glow_tf"
    spec = getattr(main, "__spec__", None)  # of that module, once it runs
    return spec is not None and spec.name.split(".")[0] == "glow_tf"


def command_name() -> str:
    """Return the command as the user typed it, without its arguments, such as "train.py"."""
    script = os.path.basename(sys.argv[0])
    return f"python -m {_module_name()}" if script in ("-m", "__main__.py") else script


def spell(command: str) -> str:
    """Return how a user of this process types a command, such as "glow-tf train" or "python train.py".

    Args:
        command: one of the keys of `SCRIPTS`.
    """
    if is_command() and not _is_console_command() and _module_name() != "glow_tf":
        return SCRIPTS[command]
    return f"{CONSOLE_COMMAND} {command}"


def program_name(command: str) -> str:
    """Return the name of a command in its own messages: as `spell` does, of a script the file alone ("train.py").

    Args:
        command: one of the keys of `SCRIPTS`.
    """
    name = spell(command)
    return name.removeprefix("python ") if name.endswith(".py") else name


def _is_console_command() -> bool:
    return os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] == CONSOLE_COMMAND


def _module_name() -> str | None:
    """Return the module with which Python was started by its option -m, or None."""
    for word, following in itertools.pairwise([*sys.orig_argv[1:], ""]):
        flags, option, module = word[1:].partition("m")  # it may be joined with flags, or with the module
        if word.startswith("-") and option and set(flags) <= set(FLAGS):
            return module or following
    return None


def end_on_interrupt() -> None:
    """Let Ctrl-C end a command with one line until `run_command` takes over, that is, mainly during the imports."""
    # Another thread cannot set it, and the children of a multiprocessing command are ended by their parent.
    if is_command() and "__mp_main__" not in sys.modules:
        try:
            signal.signal(signal.SIGINT, end_import)
        except ValueError:
            return


def end_import(number: int, frame: object) -> None:
    """Handle Ctrl-C during the imports, where nothing can be lost: an exception would be a traceback, or be caught."""
    os.write(stderr, f"{command_name()}: interrupted.\n".encode(errors="backslashreplace"))
    os._exit(INTERRUPTED)
