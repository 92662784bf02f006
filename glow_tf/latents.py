"""Latents as flat vectors and as files: `z`, the concatenation of all `eps`, finest level first."""

import math

import numpy as np

from glow_tf.array_files import read_array
from glow_tf.deprecation import renamed_attributes
from glow_tf.errors import DataError
from glow_tf.io import save_array


def flatten_latents(eps):
    """Concatenate the list `eps` of `[n, H, W, C]` to `z` `[n, D]`, a NumPy array.

    The finest level comes first, each level is row-major, as in the original code.

    Raises:
        DataError: `eps` is not a list of arrays with one n.
    """
    arrays = [np.asarray(e) for e in eps] if isinstance(eps, (list, tuple)) else []
    if not arrays or any(a.ndim < 2 for a in arrays) or len({len(a) for a in arrays}) > 1:
        got = [list(a.shape) for a in arrays] or type(eps).__name__
        raise DataError(f"eps: expected a list of latents [n, H, W, C] with one n, got {got}.")
    return np.concatenate([np.reshape(a, [len(a), math.prod(a.shape[1:])]) for a in arrays], axis=1)


def unflatten_latents(z, model):
    """Split `z` `[n, D]` into the list `eps` of a `Glow`, the exact inverse of `flatten_latents`.

    Raises:
        DataError: `z` is not floats `[n, D]` with the model's `D = H * W * C`.
    """
    z, sizes = np.asarray(z), [math.prod(shape) for shape in model.latent_shapes]
    if z.ndim != 2 or z.shape[1] != sum(sizes):
        shape = "x".join(map(str, model.image_shape))
        raise DataError(f"z: a model of {shape} images has latents [n, {sum(sizes)}], got {list(z.shape)}.")
    if z.dtype.kind != "f":
        raise DataError(f"z: expected latents as floats, got {z.dtype}.")
    parts = np.split(z, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, model.latent_shapes, strict=True)]


def load_latents(path, model):
    """Read a file of latents `[n, D]` as `eps`.

    The original code's demo uses such files: `z.npy`, `z_manipulate.npy`.

    Raises:
        DataError: the file is damaged, not a plain array (nothing pickled is loaded), of another size or not finite.
    """
    z = read_array(path)
    if z.dtype.kind != "f":
        raise DataError(f"{path}: expected one array of floats (.npy), got {z.dtype}.")
    if not np.all(np.isfinite(z)):
        raise DataError(f"{path}: expected finite latents, got NaN or infinite values.")
    return unflatten_latents(z, model)


def save_latents(path, eps):
    """Write `eps` as `z` `[n, D]`, a `.npy` file that `load_latents` and the original code's demo read."""
    save_array(path, flatten_latents(eps))


__getattr__ = renamed_attributes(__name__, {"LatentsError": ("DataError", DataError)})
