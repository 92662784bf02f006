"""Latents as flat vectors and as files: `z`, the concatenation of all `eps`, finest level first."""

import math

import numpy as np

from glow_tf.errors import GlowError
from glow_tf.runs import save_array


class LatentsError(GlowError, ValueError):
    """Latents that do not fit the model; the message says what was expected."""


def flatten_latents(eps):
    """The list `eps` of `[n, H, W, C]` -> `z` `[n, D]`, finest level first, each level row-major, as NumPy."""
    return np.concatenate([np.reshape(e, [len(e), -1]) for e in eps], axis=1)


def unflatten_latents(z, model):
    """`z` `[n, D]` -> the list `eps` of a `Glow`, the exact inverse of `flatten_latents`.

    Raises:
        LatentsError: `z` is not `[n, D]` with the model's `D = H * W * C`.
    """
    z, sizes = np.asarray(z), [math.prod(shape) for shape in model.latent_shapes]
    if z.ndim != 2 or z.shape[1] != sum(sizes):
        shape = "x".join(map(str, model.image_shape))
        raise LatentsError(f"z: a model of {shape} images has latents [n, {sum(sizes)}], got {list(z.shape)}.")
    parts = np.split(z, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, model.latent_shapes, strict=True)]


def load_latents(path, model):
    """Reads a file of latents `[n, D]` (`z.npy`, `z_manipulate.npy` of the original's face demo) as `eps`.

    Raises:
        LatentsError: the file is damaged, not a plain array (nothing pickled is loaded), or of another size.
    """
    try:
        z = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LatentsError(f"{path} cannot be read as an array of latents (.npy): {error}") from error
    if not isinstance(z, np.ndarray) or z.dtype.kind != "f":
        raise LatentsError(f"{path}: expected one array of floats (.npy), got {getattr(z, 'dtype', 'several arrays')}.")
    return unflatten_latents(z, model)


def save_latents(path, eps):
    """Writes `eps` as `z` `[n, D]`, a `.npy` file that `load_latents` and the original's demo read."""
    save_array(path, flatten_latents(eps))
