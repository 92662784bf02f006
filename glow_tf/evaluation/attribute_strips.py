"""Draw what attributes do: a row for each, in which a held-out image moves along its direction."""

from collections.abc import Sequence

import numpy as np

from glow_tf import batched
from glow_tf.attributes import Attributes
from glow_tf.batched import ProgressBar, index_labels
from glow_tf.edits import decode_edits
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow
from glow_tf.pictures import Sheet
from glow_tf.types import Images

STRENGTHS = (-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1)
"""Strengths shown."""


def strip_images(
    model: Glow,
    directions: Attributes,
    images: LabeledImages,
    names: Sequence[str],
    bar: ProgressBar | None = None,
) -> tuple[Images, np.ndarray]:
    """Move an image without each attribute along its direction, an image that differs from row to row.

    Args:
        model: the model that moves the images.
        directions: the directions.
        images: images with their attributes; one with the attribute is taken where all have it.
        names: the attributes.
        bar: progress bar that counts the images, or None.

    Returns:
        The images, uint8 `[len(names), len(STRENGTHS), H, W, C]`, and bool `[len(names), len(STRENGTHS)]`: whether the
        strength of an edit was reduced, to keep the decoded values in the range of images (see `decode_edits`).
    """
    columns = [images.has(name) for name in names]
    # A stable sort: the images without the attribute come first, in their order.
    rows = np.array([np.argsort(tag, kind="stable")[i % max(1, np.sum(~tag))] for i, tag in enumerate(columns)])
    labels = index_labels(images.labels, rows)
    z = batched.encode(model, images.images[rows], labels)
    edited = np.stack([directions.apply(z[[i]], {n: step})[0] for i, n in enumerate(names) for step in STRENGTHS])
    labels = None if labels is None else np.repeat(labels, len(STRENGTHS), axis=0)
    edits = decode_edits(model, np.repeat(z, len(STRENGTHS), axis=0), edited, labels, bar=bar)
    shape = (len(names), len(STRENGTHS))
    return edits.images.reshape(*shape, *model.image_shape), (edits.shares < 1).reshape(shape)


def reduced_remark(reduced: np.ndarray) -> str:
    """Return what the subtitle of a sheet says of reduced strengths, bool `[...]` by tile; "" if there are none.

    Example:
        >>> reduced_remark(np.array([[True, False], [False, False]]))
        '; in 1 of the 4 tiles the strength is reduced, to keep the decoded values in the range of images'
    """
    if not reduced.any():
        return ""
    count, total = np.sum(reduced), reduced.size
    return (
        f"; in {count} of the {total} tiles the strength is reduced, to keep the decoded values in the range of images"
    )


def draw_strips(names: Sequence[str], images: Images, origin: str) -> Sheet:
    """Draw the images of `strip_images` with a row for each attribute.

    Args:
        names: names of the attributes.
        images: uint8 `[len(names), len(STRENGTHS), H, W, C]`.
        origin: run, weights, and how the directions were computed.

    Example:
        >>> images = np.zeros([2, 7, 8, 8, 1], np.uint8)
        >>> draw_strips(["smiling", "bun"], images, "faces; directions by means").headings
        ['-1', '-0.67', '-0.33', 'image', '+0.33', '+0.67', '+1']
    """
    headings = [f"{strength:+.2g}" if strength else "image" for strength in STRENGTHS]
    return Sheet(list(zip(names, images, strict=True)), "Attributes", f"{origin}; the numbers are strengths", headings)
