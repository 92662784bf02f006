"""How a command runs, reports an error and ends."""

import contextlib
import os
import re
import sys
import warnings

import tensorflow as tf

from glow_tf.errors import GlowError


def run_command(main, name, arguments=None):
    """Run `main(arguments)` as a command and exit with its result: 0, or the number it returns.

    Commands compute in float32: TF32, TensorFlow's default on GPUs, is off unless `train.py --tf32` asks for it. A
    `GlowError` is printed as one line and exits with 2; a closed pipe (`| head`) ends quietly; Ctrl-C exits with 130.

    Args:
        main: function of a list of words.
        name: the command as the user typed it, for error messages and warnings.
        arguments: list of words; None takes those of this process.
    """
    warnings.formatwarning = lambda message, *_: f"{name}: {message}\n"
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        sys.exit(main(sys.argv[1:] if arguments is None else arguments))
    except GlowError as error:
        _fail(name, error)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        # A DataError that was raised inside tf.data comes back as text in an error of TensorFlow's:
        # "INVALID_ARGUMENT: DataError: images/a.png is damaged; ...".
        match = re.search(r"DataError: (.*)", str(error))
        if match is None:
            raise
        _fail(name, match[1].strip())
    except KeyboardInterrupt:
        sys.exit(130)


def rename_options(arguments, renamed):
    """Return the words of a command line with old names of options replaced, with a warning for each.

    Args:
        arguments: list of words.
        renamed: dictionary of old name -> new name, such as `{"--average": "--ema"}`.
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


def _fail(name, message):
    print(f"{name}: {message}", file=sys.stderr)
    sys.exit(2)
