"""Check numbers, noise and latents that a caller gives, and raise one sentence for what cannot be meant.

Types and shapes are checked always. Values are checked where Python knows them, that is in eager code and of constants:
a check adds no operation to a graph, and numbers of Python and NumPy are checked without the device.
"""

import numbers
import warnings
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike

from glow_tf.errors import DataError
from glow_tf.io import describe_error
from glow_tf.types import Latents, ShapeLike, Tensor, TensorLike

Argument = TypeVar("Argument")


def check_count(n: Argument, name: str, minimum: int = 0) -> Argument:
    """Check that `n` is an integer, as a number or a scalar tensor, and at least `minimum`; return it.

    Raises:
        DataError: it is something else.

    Example:
        >>> check_count(16, "sample", minimum=1)
        16
    """
    if isinstance(n, numbers.Integral) and not isinstance(n, (bool, np.bool_)):
        is_count, value = True, int(n)
    else:
        is_count = getattr(n, "shape", None) == () and np.issubdtype(_numpy_dtype(n), np.integer)
        value = known(n) if is_count else None
    if not is_count or (value is not None and value < minimum):
        raise DataError(f"{name}: expected an integer of at least {minimum}, got {_describe(n)}.")
    return n


def check_temperature(
    temperature: Argument, name: str, n: TensorLike | None = None, positive: bool = False
) -> Argument:
    """Check that a temperature is finite and not negative, a scalar or, where `n` is given, one per image; return it.

    Args:
        temperature: a number or a tensor.
        name: name of the caller, for the error message.
        n: number of images, or None.
        positive: refuse 0 too, at which there is no density.

    Raises:
        TypeError: it is no number.
        DataError: its shape or value is wrong.
    """
    shape, values = _shape(temperature), known(temperature)
    is_complex = values is not None and np.iscomplexobj(values)
    if is_complex or not np.issubdtype(_numpy_dtype(temperature), np.number):
        raise TypeError(f"{name}: expected a number as temperature, got {_describe(temperature)}.")
    shapes = [[]] if n is None else [[], [1], [known(n)]]
    if not any(tf.TensorShape(shape).is_compatible_with(s) for s in shapes):
        expected = "a scalar" if n is None else "a scalar or one temperature per image"
        raise DataError(f"{name}: expected {expected}, got the shape {list(shape)}.")
    if values is not None and not np.all(np.isfinite(values) & (values > 0 if positive else values >= 0)):
        raise DataError(
            f"{name}: expected a finite temperature {'above 0' if positive else 'of 0 or more'}, "
            f"got {_describe(temperature)}."
        )
    return temperature


def to_bytes(images: TensorLike, name: str) -> Tensor:
    """Return images as a tensor of uint8; raise a `TypeError` for any other type, which is never cast."""
    if isinstance(images, dict):
        raise TypeError(
            f"{name}: expected uint8 images, got a dictionary of {', '.join(map(str, images))}; map the data set to "
            "(image, label) pairs, or to images alone."
        )
    refuse_masked(images, name)
    try:
        images = tf.convert_to_tensor(images)
    except (TypeError, ValueError) as error:
        reason = describe_error(error)
        raise TypeError(f"{name}: expected uint8 images, got a {type(images).__name__}: {reason}.") from error
    if images.dtype != tf.uint8:
        remedy = "; cast floats from 0 to 255 by tf.cast(tf.round(images), tf.uint8)"
        raise TypeError(
            f"{name}: expected uint8 images with values 0 to 255, got {images.dtype.name}"
            f"{remedy if images.dtype.is_floating else ''}."
        )
    return images


def refuse_masked(value: object, name: str) -> None:
    """Raise a `TypeError` for a masked array: TensorFlow would take the values under the mask for numbers."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{name}: expected numbers, got an array with masked values; fill or remove them first.")


def warn_of_scale(images: TensorLike, name: str, stacklevel: int) -> None:
    """Warn of float images from 0 to 1, or to 255, where those in [-0.5, 0.5) are meant."""
    if not tf.executing_eagerly():
        return
    values = tf.convert_to_tensor(images)
    lowest, highest = float(tf.reduce_min(values)), float(tf.reduce_max(values))
    if lowest >= 0 and highest > 0.5:
        warnings.warn(
            f"{name}: these values go from {lowest:g} to {highest:g}, and images are floats in [-0.5, 0.5), as "
            "Glow.dequantize makes them of uint8: this is the density of other points.",
            stacklevel=stacklevel + 1,
        )


def check_noise(
    noise: TensorLike, images: Tensor, seed: TensorLike | None, dtype: tf.DType | str, name: str
) -> Tensor | np.ndarray:
    """Check dequantization noise: floats in [0, 1) that broadcast to `images`, and no seed beside it.

    Args:
        noise: a number or floats `[n, H, W, C]`.
        images: the images `[n, H, W, C]` that it is for.
        seed: None; a seed beside the noise is an error.
        dtype: float dtype of the result.
        name: name of the caller, for the error message.

    Returns:
        The noise as an array or a tensor of `dtype`. A number close to 1 may round to 1 and is refused then.

    Raises:
        TypeError: the noise is not floats.
        ValueError: there is a seed too.
        DataError: the noise has another shape, or a value is outside [0, 1).
    """
    if seed is not None:
        raise ValueError(f"{name}: expected a seed or the noise itself, got both; leave one out.")
    values = _array_or_tensor(noise, dtype)
    if not tf.as_dtype(values.dtype).is_floating:
        raise TypeError(f"{name}: expected noise as floats in [0, 1), got {tf.as_dtype(values.dtype).name}.")
    shape = tf.TensorShape(values.shape)
    try:
        broadcast = tf.broadcast_static_shape(shape, images.shape)
    except ValueError:
        broadcast = None
    if broadcast is None or not broadcast.is_compatible_with(images.shape):
        raise DataError(f"{name}: expected noise of the images' shape {images.shape}, got {shape}.")
    values = tf.cast(values, dtype) if tf.is_tensor(values) else values.astype(tf.as_dtype(dtype).as_numpy_dtype)
    if not tf.is_tensor(values):
        is_valid = np.all((values >= 0) & (values < 1))
    else:
        is_valid = not tf.executing_eagerly() or tf.reduce_all((values >= 0) & (values < 1))
    if not is_valid:
        raise DataError(f"{name}: expected noise in [0, 1), got values outside or NaN.")
    return values


def check_latents(eps: Sequence[TensorLike], shapes: Sequence[ShapeLike], dtype: tf.DType | str, name: str) -> Latents:
    """Check a list of latents `[n, *shape]`, finite and with one n; return them as tensors of `dtype`.

    Args:
        eps: floats, one array or tensor per level.
        shapes: the shapes of one image's latents, finest level first.
        dtype: float dtype of the result.
        name: name of the caller, for the error message.

    Raises:
        TypeError: the latents are not floats.
        DataError: their number, a shape or a value is wrong.
    """
    expected = f"{name}: expected a list of latents {', '.join(f'[n, {h}, {w}, {c}]' for h, w, c in shapes)}"
    if not isinstance(eps, (list, tuple)):
        raise DataError(f"{expected}, got one {type(eps).__name__}; for flat latents [n, D] see glow_tf.latents.")
    if len(eps) != len(shapes):
        raise DataError(f"{expected}, got {len(eps)} of them.")
    for e in eps:
        refuse_masked(e, name)
    tensors = [_to_tensor(e, dtype) for e in eps]
    if not all(e.dtype.is_floating for e in tensors):
        raise TypeError(f"{expected} of floats, got {', '.join(e.dtype.name for e in tensors)}.")
    n = tf.TensorShape([None])
    for e, shape in zip(tensors, shapes, strict=True):
        if not e.shape.is_compatible_with([None, *shape]) or not e.shape[:1].is_compatible_with(n):
            raise DataError(f"{expected} of one n, got {', '.join(str(list(t.shape)) for t in tensors)}.")
        n = n.merge_with(e.shape[:1])
    tensors = [tf.cast(e, dtype) for e in tensors]  # first, as a float64 may become infinite
    if tf.executing_eagerly():
        are_finite = tf.stack([tf.reduce_all(tf.math.is_finite(e)) for e in tensors]).numpy()  # one wait for the device
        if not are_finite.all():
            raise DataError(
                f"{name}: expected finite latents, got NaN or infinite values in eps[{are_finite.argmin()}]."
            )
    return tensors


def _array_or_tensor(value: Any, dtype: tf.DType | str) -> Any:
    """Return numbers and arrays as NumPy arrays, with which a device has nothing to do, anything else as a tensor."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return np.asarray(value, np.float64)
    return _to_tensor(value, dtype)


def _to_tensor(value: Any, dtype: tf.DType | str) -> Tensor:
    """Return a tensor: of its own type where the value has one, else of `dtype`."""
    return tf.convert_to_tensor(value, None if hasattr(value, "dtype") else dtype)


def known(value: Any) -> np.ndarray | None:
    """Return the value as a NumPy array where Python knows it, else None."""
    return tf.get_static_value(value) if tf.is_tensor(value) else np.asarray(value)


def _shape(value: Any) -> tf.TensorShape | tuple[int, ...]:
    return value.shape if tf.is_tensor(value) else np.shape(value)


def dtype_of(value: Any) -> tf.DType | None:
    """Return the type of a tensor or array, of another library too; None for numbers and lists of Python."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return None
    try:
        return tf.as_dtype(dtype)
    except TypeError:  # a type of another library, such as PyTorch
        return tf.as_dtype(np.asarray(value).dtype)


def _numpy_dtype(value: Any) -> DTypeLike:
    return value.dtype.as_numpy_dtype if tf.is_tensor(value) else np.asarray(value).dtype


def _describe(value: Any) -> str:
    array = known(value)
    return str(value if array is None else array)
