"""Check numbers, noise and latents that a caller gives, and raise one sentence for what cannot be meant.

Types and shapes are checked always. Values are checked where Python knows them, that is in eager code and of constants:
a check adds no operation to a graph, and numbers of Python and NumPy are checked without the device.
"""

import numbers

import numpy as np
import tensorflow as tf

from glow_tf.errors import DataError
from glow_tf.io import describe_error


def check_count(n, name, minimum=0):
    """Check that `n` is an integer, as a number or a scalar tensor, and at least `minimum`; return it."""
    if isinstance(n, numbers.Integral) and not isinstance(n, (bool, np.bool_)):
        is_count, value = True, n
    else:
        is_count = getattr(n, "shape", None) == () and np.issubdtype(_numpy_dtype(n), np.integer)
        value = known(n) if is_count else None
    if not is_count or (value is not None and value < minimum):
        raise DataError(f"{name}: expected an integer of at least {minimum}, got {_describe(n)}.")
    return n


def check_temperature(temperature, name, n=None, positive=False):
    """Check that a temperature is finite and not negative, a scalar or, where `n` is given, one per image; return it.

    Args:
        temperature: number or tensor.
        name: name of the caller, for the error message.
        n: number of images, or None.
        positive: refuse 0 too, at which there is no density.
    """
    shape, values = np.shape(temperature) if not tf.is_tensor(temperature) else temperature.shape, known(temperature)
    if not np.issubdtype(_numpy_dtype(temperature), np.number) or np.iscomplexobj(values):
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


def to_bytes(images, name):
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
        raise TypeError(f"{name}: expected uint8 images with values 0 to 255, got {images.dtype.name}.")
    return images


def refuse_masked(value, name):
    """Raise a `TypeError` for a masked array: TensorFlow would take the values under the mask for numbers."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(f"{name}: expected numbers, got an array with masked values; fill or remove them first.")


def check_noise(noise, images, seed, dtype, name):
    """Check dequantization noise: floats in [0, 1) that broadcast to `images`, and no seed beside it.

    Returns:
        The noise as an array or a tensor of `dtype`. A number close to 1 may round to 1 and is refused then.
    """
    if seed is not None:
        raise ValueError(f"{name}: expected a seed or the noise itself, got both; leave one out.")
    noise = _array_or_tensor(noise, dtype)
    if not tf.as_dtype(noise.dtype).is_floating:
        raise TypeError(f"{name}: expected noise as floats in [0, 1), got {tf.as_dtype(noise.dtype).name}.")
    shape = tf.TensorShape(noise.shape)
    try:
        broadcast = tf.broadcast_static_shape(shape, images.shape)
    except ValueError:
        broadcast = None
    if broadcast is None or not broadcast.is_compatible_with(images.shape):
        raise DataError(f"{name}: expected noise of the images' shape {images.shape}, got {shape}.")
    noise = tf.cast(noise, dtype) if tf.is_tensor(noise) else noise.astype(tf.as_dtype(dtype).as_numpy_dtype)
    if not tf.is_tensor(noise):
        is_valid = np.all((noise >= 0) & (noise < 1))
    else:
        is_valid = not tf.executing_eagerly() or tf.reduce_all((noise >= 0) & (noise < 1))
    if not is_valid:
        raise DataError(f"{name}: expected noise in [0, 1), got values outside or NaN.")
    return noise


def check_latents(eps, shapes, dtype, name):
    """Check a list of latents `[n, *shape]`, finite and with one n; return them as tensors of `dtype`.

    Args:
        eps: list of arrays or tensors of floats.
        shapes: the shapes of one image's latents, finest level first.
        dtype: float dtype of the result.
        name: name of the caller, for the error message.
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


def _array_or_tensor(value, dtype):
    """Return numbers and arrays as NumPy arrays, with which a device has nothing to do, anything else as a tensor."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return np.asarray(value, np.float64)
    return _to_tensor(value, dtype)


def _to_tensor(value, dtype):
    """Return a tensor: of its own type where the value has one, else of `dtype`."""
    return tf.convert_to_tensor(value, None if hasattr(value, "dtype") else dtype)


def known(value):
    """Return the value as a NumPy array where Python knows it, else None."""
    return tf.get_static_value(value) if tf.is_tensor(value) else np.asarray(value)


def _numpy_dtype(value):
    return value.dtype.as_numpy_dtype if tf.is_tensor(value) else np.asarray(value).dtype


def _describe(value):
    array = known(value)
    return str(value if array is None else array)
