"""How a command starts TensorFlow, reports an error and ends."""

import contextlib
import importlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from glow_tf.backend import check_backend
from glow_tf.cli.lean import hidden_packages
from glow_tf.cli.quiet import quiet_import
from glow_tf.cli.start import INTERRUPTED, end_import, is_command, program_name
from glow_tf.errors import GlowError, data_errors
from glow_tf.extras import optional_packages
from glow_tf.gpu_files import card_files
from glow_tf.log_lines import shown_as_lines


def run_command(main: Callable[[list[str]], int | None], name: str, arguments: list[str] | None = None) -> NoReturn:
    """Run `main(arguments)` as a command and exit with its result: 0, or the number it returns.

    `main` parses its arguments, calls `start_tensorflow` and computes. A `GlowError`, a file that cannot be used and a
    lack of memory print one line and exit with 2. Ctrl-C prints one line and exits with 130; a closed pipe (`| head`)
    ends the command quietly. Log messages of the library are lines on standard error.

    Args:
        main: function of the words of a command line.
        name: the command as the user typed it, for error messages and warnings.
        arguments: the words of the command line; None takes those of this process.
    """
    warnings.formatwarning = lambda message, *_: f"{name}: {message}\n"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for names of files that the terminal cannot show
    try:
        with optional_packages(), shown_as_lines(), data_errors():
            sys.exit(main(sys.argv[1:] if arguments is None else arguments))
    except GlowError as error:
        _fail(name, error)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except OSError as error:
        path = f": {error.filename}" if error.filename else ""
        _fail(name, f"{error.strerror or _first_line(error)}{path}")
    except Exception as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            advice = "take smaller batches, fewer images or a smaller model"
            _fail(name, f"there is not enough memory ({_first_line(error) or 'MemoryError'}); {advice}.")
        raise
    except KeyboardInterrupt:
        print(f"{name}: interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        if arguments is None:  # the process ends: another Ctrl-C could only add a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_module(name: str, arguments: list[str] | None = None) -> NoReturn:
    """Run the command of the module `glow_tf.cli.NAME`, as `train.py`, `python -m glow_tf.NAME` and `glow-tf NAME` do.

    The module is imported within `run_command`, so that a package that it lacks is one sentence.

    Args:
        name: name of the module, a key of `start.SCRIPTS`.
        arguments: the words of the command line; None takes those of this process.
    """

    def main(words: list[str]) -> int | None:
        return importlib.import_module(f"glow_tf.cli.{name}").main(words)

    run_command(main, program_name(name), arguments)


def start_tensorflow() -> None:
    """Import TensorFlow and the library, quietly, and look for GPUs; called after the command line is parsed.

    Commands compute in float32: TF32, TensorFlow's default on GPUs, is off unless `train.py --tf32` turns it on. They
    take a GPU's memory as they need it, so that several can share it. A card that TensorFlow does not see is reported
    in one line.

    Raises:
        BackendError: Keras has a backend other than TensorFlow.
    """
    with quiet_import(is_command()):
        check_backend()
        with hidden_packages():
            import keras  # noqa: F401
        import tensorflow as tf

        from glow_tf import gpus
    if signal.getsignal(signal.SIGINT) is end_import:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if card_files():
        gpus.look_for_gpus()
        gpus.let_memory_grow()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus.warn_of_unseen_card()


def rename_options(arguments: Sequence[str], renamed: Mapping[str, str]) -> list[str]:
    """Return the words of a command line with old option names replaced; warn about each.

    Args:
        arguments: words of the command line.
        renamed: old name -> new name, such as `{"--average": "--ema"}`.
    """
    result = []
    for word in arguments:
        name, equals, value = word.partition("=")
        if name in renamed:
            warnings.warn(
                f"{name} is now {renamed[name]}; the old name will be removed in the next release.", stacklevel=2
            )
            word = renamed[name] + equals + value
        result.append(word)
    return result


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


def _fail(name: str, message: object) -> NoReturn:
    print(f"{name}: {message}", file=sys.stderr)
    sys.exit(2)
