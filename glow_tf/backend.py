"""The backend of Keras, which must be TensorFlow. Only the standard library is imported here."""

import json
import os
import pathlib
import sys

from glow_tf.errors import BackendError


def check_backend() -> None:
    """Raise a `BackendError` if Keras has, or will have, another backend than TensorFlow."""
    name, origin = configured_backend()
    if name != "tensorflow":
        raise BackendError(
            f"glow_tf needs Keras with TensorFlow as its backend, but {origin} says {name}; "
            "set KERAS_BACKEND=tensorflow in the environment before Keras is imported."
        )


def configured_backend() -> tuple[str, str]:
    """Return the name of Keras's backend and where it is set, by the rules by which Keras finds it."""
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None:
        return config.backend(), "Keras, which is imported already,"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND"
    folder = os.environ.get("KERAS_HOME") or pathlib.Path("~/.keras").expanduser()
    path = pathlib.Path(folder) / "keras.json"
    try:
        return json.loads(path.read_text()).get("backend", "tensorflow"), str(path)
    except (OSError, ValueError, AttributeError):  # Keras ignores such a file
        return "tensorflow", "Keras's default"
