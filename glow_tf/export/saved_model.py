"""Write a trained Glow as a SavedModel; its signatures are in `export/signatures.py`."""

import os
import pathlib

import tensorflow as tf

from glow_tf import folders
from glow_tf.errors import RunError
from glow_tf.export.signatures import ServingModule
from glow_tf.folders import prepare_folder
from glow_tf.io import cannot_write, check_not_current, temporary_path
from glow_tf.layers.loading import require_finite
from glow_tf.model import Glow


def export_model(glow: Glow, path: str | os.PathLike[str], overwrite: bool = False, litert: bool = False) -> None:
    """Write a `Glow` as a SavedModel, first under a temporary name, and then move it into place.

    Args:
        glow: the model.
        path: folder to write.
        overwrite: replace a SavedModel at `path`; nothing else is ever replaced.
        litert: write a graph that `tf.lite.TFLiteConverter.from_saved_model` converts, with
            `signature_keys=["encode", "decode"]`. TensorFlow then optimizes each flow step separately, so a deep model
            takes longer to start.

    Raises:
        TypeError: `glow` is not a `Glow`.
        RunError: `path` exists and must not be replaced, or cannot be written, or a weight is not finite.

    Example:
        >>> import tempfile
        >>> from glow_tf import ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> path = f"{tempfile.mkdtemp()}/exported"
        >>> export_model(glow, path)
        >>> sample = tf.saved_model.load(path).signatures["sample"]
        >>> sample(count=tf.constant(2), temperature=tf.constant(0.7), seed=tf.constant([0, 0]))["images"].shape
        TensorShape([2, 8, 8, 1])
    """
    if not isinstance(glow, Glow):
        raise TypeError(f"export_model: expected a Glow and the path to write, got a {type(glow).__name__} first.")
    require_finite((v.path, v.numpy()) for v in glow.weights)
    check_not_current(pathlib.Path(path))
    folder = prepare_folder(path)
    _check_replaceable(folder, overwrite)
    temporary = temporary_path(folder)
    try:
        module = ServingModule(glow, litert)
        tf.saved_model.save(module, str(temporary), signatures=module.signatures())
        folders.replace_folder(temporary, folder)
    except (OSError, tf.errors.OpError) as error:
        raise cannot_write(folder, error) from error
    finally:
        folders.remove(temporary)


def _check_replaceable(path: pathlib.Path, overwrite: bool) -> None:
    """Raise a `RunError` if `path` exists and must stay as it is."""
    if os.path.lexists(path):
        if not (path / "saved_model.pb").is_file():
            raise RunError(f"{path} exists and is no SavedModel, so it will not be replaced; give another place.")
        if not overwrite:
            raise RunError(f"{path} exists already; give another place, or replace it by overwrite=True (--overwrite).")
