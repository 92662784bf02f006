"""Edits of stored images in latent space: blend two, move along attributes, redraw levels.

Images come as `StoredImage`, results are uint8 `[n, H, W, C]`; `compiled` is a `CompiledModel`.
"""

import numpy as np

from glow_tf.demo.image_store import StoredImage
from glow_tf.interpolation import interpolate_latents
from glow_tf.latents import flatten_latents, unflatten_latents


def blend(compiled, first, second, weights):
    """Return images between two, one per weight: 0 gives the first, 1 the second.

    A conditional model encodes both with the class of the first, under which either is reconstructed exactly.
    """
    if first.label != second.label:
        second = StoredImage(second.image, first.label)
    ends = (unflatten_latents(_latents(compiled, stored), compiled.model) for stored in (first, second))
    eps = interpolate_latents(*ends, np.asarray(weights, np.float32))
    return compiled.decode(eps, repeat_label(first.label, len(weights)))


def move(compiled, stored, attributes, strengths):
    """Return the image moved along `attributes` by `strengths`, `{name: float}`; several add up."""
    z = attributes.apply(_latents(compiled, stored), strengths)
    return compiled.decode(unflatten_latents(z, compiled.model), repeat_label(stored.label, 1))


def redraw(compiled, stored, levels, drawn_eps):
    """Return one variant of an image per row of `drawn_eps`, whose `levels` replace those of the image.

    Args:
        compiled: `CompiledModel`.
        stored: `StoredImage`.
        levels: ints, 0 the finest.
        drawn_eps: list of latents `[n, ...]`, all levels.
    """
    count = len(drawn_eps[0])
    image_eps = unflatten_latents(np.repeat(_latents(compiled, stored), count, 0), compiled.model)
    eps = [drawn_eps[i] if i in levels else own for i, own in enumerate(image_eps)]
    return compiled.decode(eps, repeat_label(stored.label, count))


def repeat_label(label, count):
    """Return labels `[count]` of one class, or None for an unconditional model."""
    return None if label is None else np.full(count, label)


def _latents(compiled, stored):
    """Return the flat latents `[1, D]` of a `StoredImage`, which encodes it at the first call."""
    if stored.z is None:
        stored.z = flatten_latents(compiled.encode(stored.image[None], repeat_label(stored.label, 1)))[0]
    return stored.z[None]
