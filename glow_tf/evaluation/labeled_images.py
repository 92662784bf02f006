"""Images with yes/no attributes: to compute attribute directions from, and held out to measure them on."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from glow_tf.data.source import Source
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.own_files import find_image_files, read_own_images
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.types import Images

MIN_IMAGES_TO_HOLD_OUT = 8
"""Images that each of a user's folders must have so that a quarter of them is held out."""


@dataclasses.dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images with ground-truth attributes.

    Args:
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        tags: bool `[n, len(names)]`, the attributes.
        names: names of the attributes.

    Example:
        >>> images = LabeledImages(np.zeros([3, 8, 8, 1], np.uint8), None, np.eye(3, 2, dtype=bool), ("bun", "beard"))
        >>> images.has("bun").tolist()
        [True, False, False]
    """

    images: np.ndarray
    labels: np.ndarray | None
    tags: np.ndarray
    names: tuple[str, ...]

    def has(self, name: str) -> np.ndarray:
        """Return which images have an attribute, bool `[n]`."""
        return self.tags[:, self.names.index(name)]

    def differ_in(self, name: str) -> bool:
        """Return whether some images have an attribute and others lack it."""
        return bool(self.has(name).any() and not self.has(name).all())


@dataclasses.dataclass(frozen=True, eq=False)
class TrainHeldOut:
    """Labeled images to compute directions and fit classifiers from, and others to measure them on.

    Args:
        train: images to compute directions and fit classifiers from.
        held_out: other images with the same attributes; None where there are too few.
    """

    train: LabeledImages
    held_out: LabeledImages | None


def attribute_names(source: Source) -> tuple[str, ...]:
    """Return the names of a source's attributes, or of its classes where it has no attributes."""
    return source.attribute_names or source.class_names


def read_labeled_images(context: EvaluationContext, split: str, limit: int) -> LabeledImages:
    """Read at most `limit` images of a split with their attributes, or classes.

    The images are spread evenly over the split (see `EvaluationContext.spread_arrays`).

    Raises:
        DataError: the source has neither labels nor attributes.
    """
    source = context.source
    names = attribute_names(source)
    if not names:
        raise DataError(
            f"{source.name} has neither labels nor attributes; give a source that has, or folders of images to "
            "evaluate.py attributes: --folders WITH WITHOUT."
        )
    images, labels, attributes = context.spread_arrays(split, limit)
    tags = attributes > 0 if source.attribute_names else labels[:, None] == np.arange(len(names))
    return LabeledImages(images, context.model_labels(labels), tags, names)


def read_splits(context: EvaluationContext, limit: int) -> TrainHeldOut:
    """Read training images, and test images as held out, at most `limit` of each."""
    return TrainHeldOut(read_labeled_images(context, "train", limit), read_labeled_images(context, "test", limit))


def read_validation(context: EvaluationContext, limit: int) -> LabeledImages | None:
    """Read at most `limit` validation images with their attributes; None if they are the test images too, or none."""
    rows = context.source.rows
    if not len(rows.get("validation", ())) or np.intersect1d(rows["validation"], rows["test"]).size:
        return None
    return read_labeled_images(context, "validation", limit)


def read_folders(
    context: EvaluationContext, folders: Sequence[str], limit: int, name: str = "attribute"
) -> TrainHeldOut:
    """Read a user's two folders of images, with and without an attribute.

    Every fourth image is held out if each folder has `MIN_IMAGES_TO_HOLD_OUT`.

    Args:
        context: the model that the images are fitted to.
        folders: the folder of images with the attribute, and the folder of images without.
        limit: images per folder, at most.
        name: name of the attribute.

    Raises:
        ConfigError: there are not two folders.
        DataError: a folder holds no images, or one that cannot be read.
    """
    if len(folders) != 2:
        raise ConfigError(f"--folders: expected two, images with the attribute and images without, got {len(folders)}.")
    groups = [read_own_images(find_image_files(folder)[:limit], context.model.image_shape) for folder in folders]
    if min(map(len, groups)) < MIN_IMAGES_TO_HOLD_OUT:
        return TrainHeldOut(_label_groups(context, groups, name), None)
    train = [images[np.arange(len(images)) % 4 != 3] for images in groups]
    held_out = [images[3::4] for images in groups]
    return TrainHeldOut(_label_groups(context, train, name), _label_groups(context, held_out, name))


def _label_groups(context: EvaluationContext, groups: Sequence[Images], name: str) -> LabeledImages:
    """Label the images of two groups, with and without the attribute `name`; the class of all is 0."""
    tags = np.repeat([[True], [False]], [len(images) for images in groups], axis=0)
    return LabeledImages(np.concatenate(groups), context.model_labels(np.zeros(len(tags), int)), tags, (name,))
