"""Edits of stored images in latent space: blend two, move along attributes, redraw levels.

Images come as `StoredImage`, results are uint8 `[n, H, W, C]`; `compiled` is a `CompiledModel`.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from glow_tf.attributes import Attributes
from glow_tf.demo.compiled_model import CompiledModel
from glow_tf.demo.image_store import StoredImage
from glow_tf.interpolation import interpolate_latents
from glow_tf.latents import flatten_latents, unflatten_latents
from glow_tf.types import Images, Tensor


def blend(compiled: CompiledModel, first: StoredImage, second: StoredImage, weights: Sequence[float]) -> Images:
    """Return images between two, one per weight: 0 gives the first, 1 the second.

    A conditional model encodes both with the class of the first, under which either is reconstructed exactly.
    """
    if first.label != second.label:
        second = StoredImage(second.image, first.label)
    start, end = (unflatten_latents(_latents(compiled, stored), compiled.model) for stored in (first, second))
    eps = interpolate_latents(start, end, np.asarray(weights, np.float32))
    return compiled.decode(eps, repeat_label(first.label, len(weights)))


def move(
    compiled: CompiledModel, stored: StoredImage, attributes: Attributes, strengths: Mapping[str, float]
) -> Images:
    """Return the image moved along `attributes` by `strengths`, `{name: float}`; several add up."""
    z = attributes.apply(_latents(compiled, stored), strengths)
    return compiled.decode(unflatten_latents(z, compiled.model), repeat_label(stored.label, 1))


def redraw(
    compiled: CompiledModel, stored: StoredImage, levels: Collection[int], drawn_eps: Sequence[Tensor]
) -> Images:
    """Return one variant of an image per row of `drawn_eps`, whose `levels` replace those of the image.

    Args:
        compiled: the model.
        stored: the image.
        levels: the levels that are replaced, 0 the finest.
        drawn_eps: latents `[n, H, W, C]` of all levels.
    """
    count = len(drawn_eps[0])
    image_eps = unflatten_latents(np.repeat(_latents(compiled, stored), count, 0), compiled.model)
    eps = [drawn_eps[i] if i in levels else own for i, own in enumerate(image_eps)]
    return compiled.decode(eps, repeat_label(stored.label, count))


def repeat_label(label: int | None, count: int) -> np.ndarray | None:
    """Return labels `[count]` of one class, or None for an unconditional model."""
    return None if label is None else np.full(count, label)


def _latents(compiled: CompiledModel, stored: StoredImage) -> np.ndarray:
    """Return the flat latents `[1, D]` of a `StoredImage`, which encodes it at the first call."""
    z = stored.z
    if z is None:
        z = stored.z = flatten_latents(compiled.encode(stored.image[None], repeat_label(stored.label, 1)))[0]
    return z[None]
