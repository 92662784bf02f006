"""Edits of stored images in latent space: blend two, move along attributes, redraw levels.

Images come as `StoredImage`, results are `Pictures`; `compiled` is a `CompiledModel`.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from glow_tf.attributes import Attributes
from glow_tf.demo.compiled_model import CompiledModel
from glow_tf.demo.image_store import StoredImage
from glow_tf.edits import decode_edits, is_outside
from glow_tf.interpolation import interpolate_latents
from glow_tf.latents import flatten_latents, unflatten_latents
from glow_tf.types import Images, Tensor, TensorLike


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Decoded pictures, and what a visitor has to know of them.

    Args:
        images: uint8 `[n, H, W, C]`.
        outside: which of them are no pictures, because the decoded values are far outside the range: bool `[n]`.
        share: the share of the strengths that was applied, 1 for all; less where the picture would end before.
    """

    images: Images
    outside: np.ndarray
    share: float = 1.0


def decode(compiled: CompiledModel, eps: Sequence[TensorLike], labels: np.ndarray | None) -> Pictures:
    """Return the pictures of latents `[n, H, W, C]` of each level, finest first."""
    images, overshoot = compiled.decode(eps, labels)
    return Pictures(images, is_outside(overshoot))


def blend(compiled: CompiledModel, first: StoredImage, second: StoredImage, weights: Sequence[float]) -> Pictures:
    """Return images between two, one per weight: 0 gives the first, 1 the second.

    A conditional model encodes both with the class of the first, under which either is reconstructed exactly.
    """
    if first.label != second.label:
        second = StoredImage(second.image, first.label)
    start, end = (unflatten_latents(latents(compiled, stored), compiled.model) for stored in (first, second))
    eps = interpolate_latents(start, end, weights)
    return decode(compiled, eps, repeat_label(first.label, len(weights)))


def move(
    compiled: CompiledModel, stored: StoredImage, attributes: Attributes, strengths: Mapping[str, float]
) -> Pictures:
    """Return the image moved along `attributes` by `strengths`, `{name: float}`, or as far as it stays a picture.

    Several strengths add up, and are shortened by the same factor, the `share`.
    """
    z, labels = latents(compiled, stored), repeat_label(stored.label, 1)
    edits = decode_edits(compiled.model, z, attributes.apply(z, strengths), labels, decode=compiled.decode)
    return Pictures(edits.images, np.zeros(1, bool), float(edits.shares[0]))


def redraw(
    compiled: CompiledModel, stored: StoredImage, levels: Collection[int], drawn_eps: Sequence[Tensor]
) -> Pictures:
    """Return one variant of an image per row of `drawn_eps`, whose `levels` replace those of the image.

    Args:
        compiled: the model.
        stored: the image.
        levels: the levels that are replaced, 0 the finest.
        drawn_eps: latents `[n, H, W, C]` of all levels.
    """
    count = len(drawn_eps[0])
    image_eps = unflatten_latents(np.repeat(latents(compiled, stored), count, 0), compiled.model)
    eps = [drawn_eps[i] if i in levels else own for i, own in enumerate(image_eps)]
    return decode(compiled, eps, repeat_label(stored.label, count))


def repeat_label(label: int | None, count: int) -> np.ndarray | None:
    """Return labels `[count]` of one class, or None for an unconditional model."""
    return None if label is None else np.full(count, label)


def latents(compiled: CompiledModel, stored: StoredImage) -> np.ndarray:
    """Return the flat latents `[1, D]` of a `StoredImage`, which is encoded at the first call."""
    z = stored.z
    if z is None:
        z = _encode(compiled, stored)[0]
    return z[None]


def bits_per_dim(compiled: CompiledModel, stored: StoredImage) -> float:
    """Return the bits/dim of a `StoredImage`, which is encoded at the first call."""
    bits = stored.bits_per_dim
    return _encode(compiled, stored)[1] if bits is None else bits


def _encode(compiled: CompiledModel, stored: StoredImage) -> tuple[np.ndarray, float]:
    """Encode a `StoredImage`; keep and return its flat latents `[D]`, unless it has some, and its bits/dim."""
    eps, bits = compiled.encode_with_bits(stored.image[None], repeat_label(stored.label, 1))
    stored.bits_per_dim = float(bits[0])
    z = flatten_latents(eps)[0] if stored.z is None else stored.z
    stored.z = z
    return z, stored.bits_per_dim
