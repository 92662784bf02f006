"""Latents as flat vectors and as files: `z`, the concatenation of all `eps`, finest level first."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np

from glow_tf.array_files import read_array
from glow_tf.deprecation import renamed_attributes
from glow_tf.errors import DataError
from glow_tf.io import save_array
from glow_tf.model import Glow
from glow_tf.types import TensorLike


def flatten_latents(eps: Sequence[TensorLike]) -> np.ndarray:
    """Concatenate latents to flat vectors.

    The finest level comes first, and each level is in row-major order, as in the original code.

    Args:
        eps: latents `[n, H, W, C]` of each level, finest first.

    Returns:
        `z`, `[n, D]`.

    Raises:
        DataError: `eps` is not a list of arrays with one n.

    Example:
        >>> flatten_latents([np.zeros([3, 4, 4, 2]), np.zeros([3, 2, 2, 8])]).shape
        (3, 64)
    """
    arrays = [np.asarray(e) for e in eps] if isinstance(eps, (list, tuple)) else []
    if not arrays or any(a.ndim < 2 for a in arrays) or len({len(a) for a in arrays}) > 1:
        got = [list(a.shape) for a in arrays] or type(eps).__name__
        raise DataError(f"eps: expected a list of latents [n, H, W, C] with one n, got {got}.")
    return np.concatenate([np.reshape(a, [len(a), math.prod(a.shape[1:])]) for a in arrays], axis=1)


def unflatten_latents(z: TensorLike, model: Glow) -> list[np.ndarray]:
    """Split flat vectors into the latents of a model, the exact inverse of `flatten_latents`.

    Args:
        z: floats `[n, D]`.
        model: the model that takes the latents.

    Returns:
        `eps`, latents `[n, H, W, C]` of each level, finest first.

    Raises:
        DataError: `z` is not floats `[n, D]` with the model's `D = H * W * C`.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> [e.shape for e in unflatten_latents(np.zeros([3, 64]), glow)]
        [(3, 4, 4, 2), (3, 2, 2, 8)]
    """
    z, sizes = np.asarray(z), [math.prod(shape) for shape in model.latent_shapes]
    if z.ndim != 2 or z.shape[1] != sum(sizes):
        shape = "x".join(map(str, model.image_shape))
        raise DataError(f"z: a model of {shape} images has latents [n, {sum(sizes)}], got {list(z.shape)}.")
    if z.dtype.kind != "f":
        raise DataError(f"z: expected latents as floats, got {z.dtype}.")
    parts = np.split(z, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, model.latent_shapes, strict=True)]


def load_latents(path: pathlib.Path | str, model: Glow) -> list[np.ndarray]:
    """Read a file of flat latents.

    The original code's demo uses such files: `z.npy`, `z_manipulate.npy`.

    Args:
        path: a `.npy` file of floats `[n, D]`.
        model: the model that takes the latents.

    Returns:
        `eps`, latents `[n, H, W, C]` of each level, finest first.

    Raises:
        DataError: the file is damaged, not a plain array (nothing pickled is loaded), of another size or not finite.

    Example:
        >>> import tempfile
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_latents(f"{folder}/z.npy", glow.sample_latents(3, seed=0))
        ...     [e.shape for e in load_latents(f"{folder}/z.npy", glow)]
        [(3, 4, 4, 2), (3, 2, 2, 8)]
    """
    z = read_array(path)
    try:
        eps = unflatten_latents(z, model)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if not np.all(np.isfinite(z)):
        raise DataError(f"{path}: expected finite latents, got NaN or infinite values.")
    return eps


def save_latents(path: pathlib.Path | str, eps: Sequence[TensorLike]) -> None:
    """Write latents as flat vectors to a file that `load_latents` and the original code's demo can read.

    Args:
        path: the `.npy` file to write.
        eps: latents `[n, H, W, C]` of each level, finest first.

    Raises:
        DataError: `eps` is not a list of arrays with one n.
        RunError: the file cannot be written.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> save_latents("z.npy", glow.sample_latents(3))
        >>> np.load("z.npy").shape
        (3, 64)
    """
    save_array(path, flatten_latents(eps))


__getattr__ = renamed_attributes(__name__, {"LatentsError": ("DataError", DataError)})
