"""Errors that are for the user, and how a command ends."""

import contextlib
import os
import re
import sys
import warnings

import tensorflow as tf


class GlowError(Exception):
    """An error whose one-sentence message says what was expected, what came, and what to do."""


def run_command(main, name, arguments=None):
    """Runs `main(arguments)` as a command and exits with its result: 0, or the number it returns.

    Commands compute in float32: TF32, TensorFlow's default on GPUs, is off unless `train.py --tf32` asks for it. A
    `GlowError` is printed as one sentence and exits with 2; a closed pipe (`| head`) ends quietly; Ctrl-C exits with
    130.
    """
    warnings.formatwarning = lambda message, *_: f"{name}: {message}\n"
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        sys.exit(main(sys.argv[1:] if arguments is None else arguments))
    except GlowError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        # What a GlowError becomes on its way through TensorFlow's data pipeline.
        found = re.search(r"(?:DataError): (.*)", str(error))
        if not found:
            raise
        print(f"{name}: {found[1].strip()}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
