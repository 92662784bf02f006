"""Real images that the page starts with: test images of a model's data, or those that come with a preset's weights."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from glow_tf import presets
from glow_tf.array_files import ArrayArchive
from glow_tf.errors import RunError
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.model_files import packaged_attributes
from glow_tf.types import Images

MAX_IMAGES = 48
FACES = re.compile(r"(?<![a-z])(faces|celeb_?a)", re.IGNORECASE)
"""Words in the names of sources of faces, such as "tfds:celeb_a_hq/256", but not "folder:surfaces"."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutImages:
    """Real images that the model was not trained on.

    Args:
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]`, the classes of a conditional model.
        words: what is on each image, such as "smiling, beard"; "" where that is not known.
        source: name of their source, such as "bundled:faces".
        class_names: names of the classes of the source, empty without labels.
        credits: author, source and license of the images, or "".
    """

    images: Images
    labels: np.ndarray
    words: Sequence[str]
    source: str
    class_names: tuple[str, ...] = ()
    credits: str = ""

    @property
    def noun(self) -> str:
        """Return the word for one of the images."""
        return "face" if FACES.search(self.source) else "picture"


def read_test_images(context: EvaluationContext) -> HeldOutImages:
    """Read test images of a model's data, spread over the split.

    Raises:
        GlowError, tf.errors.OpError: there are none, or they cannot be read.
    """
    images, labels, tags = context.spread_arrays("test", MAX_IMAGES)
    source = context.source
    if source.attribute_names:
        words = _words(tags > 0, source.attribute_names)
    else:
        words = [source.class_names[int(label)] if source.class_names else "" for label in labels]
    return HeldOutImages(images, labels, words, source.name, source.class_names, source.credits)


def read_packaged_images(preset: str) -> HeldOutImages:
    """Read the test images that come with the weights of an unconditional preset.

    Raises:
        DataError: the file is damaged.
        RunError: no images come with the preset, or the file belongs to other weights.
    """
    path = packaged_attributes(preset)
    if path is None:
        raise RunError(f"no images of the preset {preset} come with glow_tf.")
    with ArrayArchive(path) as archive:
        images, tags, credits = archive["images"], archive["tags"], str(archive["credits"])
        words = _words(tags, [str(name) for name in archive["names"]])
    return HeldOutImages(images, np.zeros(len(images), int), words, presets.get(preset).data.source, credits=credits)


def _words(tags: np.ndarray, names: Sequence[str]) -> list[str]:
    """Return the names of the attributes that each image has, bool `[n, len(names)]`."""
    return [", ".join(name for name, tag in zip(names, row, strict=True) if tag) for row in tags]
