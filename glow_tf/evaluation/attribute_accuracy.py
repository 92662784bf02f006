"""Measure attribute edits: how often a classifier of real images detects an attribute before and after the edit."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from glow_tf import batched
from glow_tf.attributes import Attributes
from glow_tf.batched import ProgressBar, index_labels
from glow_tf.data.splits import spread_positions
from glow_tf.edits import DecodeWithOvershoot, decode_chunks_with_overshoot, is_outside
from glow_tf.evaluation.accuracy import SampleClassifier
from glow_tf.evaluation.labeled_images import LabeledImages
from glow_tf.model import Glow
from glow_tf.types import Images


@dataclasses.dataclass(frozen=True)
class EditEffect:
    """The effect of an edit of one attribute, as a classifier of real images detects it.

    Args:
        count: number of images that were edited.
        before: share of their reconstructions in which the attribute is detected.
        after: share of the edited images in which it is detected.
        others_changed: share of predictions of other attributes that differ between the reconstruction and the edited
            image: the mean over the images and over the attributes that are independent of the edited one (see
            `glow_tf.evaluation.attribute_detection`); None if there are none.
        outside: number of edited images that are not finite, or far outside the range of images (see
            `glow_tf.edits.is_outside`).
    """

    count: int
    before: float
    after: float
    others_changed: float | None
    outside: int


class AttributeEdits:
    """Edit images that no direction or classifier was computed from, and detect attributes before and after.

    The images are encoded once. Edits are not shortened, so that those with an image out of range are counted.

    Args:
        model: the model that moves the images.
        classifier: classifier of real images with `predict(images)`, bool `[n, a]` (see `SampleClassifier`).
        images: the images, with their attributes.
        independent: bool `[a, a]`, from `independent_attributes`.
        names: the attributes that are edited.
        count: images with an attribute, and as many without it, at most.
        decode: compiled `decode_with_overshoot` of the model; None decodes eagerly.
        bar: progress bar that counts decoded images, or None.
    """

    def __init__(
        self,
        model: Glow,
        classifier: SampleClassifier,
        images: LabeledImages,
        independent: np.ndarray,
        names: Sequence[str],
        *,
        count: int = 50,
        decode: DecodeWithOvershoot | None = None,
        bar: ProgressBar | None = None,
    ) -> None:
        self.model, self.classifier, self.independent, self.bar = model, classifier, independent, bar
        self.all_names = images.names
        self._decode_compiled = decode
        columns = {name: images.has(name) for name in names}
        rows = {(n, present): _spread(columns[n] == present, count) for n in names for present in (False, True)}
        used = np.unique(np.concatenate(list(rows.values())))
        self._positions = {key: np.searchsorted(used, value) for key, value in rows.items()}
        self._labels = index_labels(images.labels, used)
        self._z = batched.encode(model, images.images[used], self._labels)
        self._before = classifier.predict(self._decode(self._z, self._labels)[0])

    def measure(self, directions: Attributes, name: str, strength: float) -> EditEffect | None:
        """Measure an edit: towards an attribute in images without it, or away from it in images with it.

        Args:
            directions: the directions of attributes.
            name: name of the attribute.
            strength: strength of the edit; below 0 the images with the attribute are edited.

        Returns:
            The effect; None if there are no such images.
        """
        positions, column = self._positions[name, strength < 0], self.all_names.index(name)
        if not len(positions):
            return None
        edited = directions.apply(self._z[positions], {name: strength})
        images, outside = self._decode(edited, index_labels(self._labels, positions))
        before, after = self._before[positions], self.classifier.predict(images)
        others = self.independent[column]
        return EditEffect(
            len(positions),
            float(before[:, column].mean()),
            float(after[:, column].mean()),
            float((before != after)[:, others].mean()) if others.any() else None,
            int(outside.sum()),
        )

    def _decode(self, z: np.ndarray, labels: np.ndarray | None) -> tuple[Images, np.ndarray]:
        """Return the images of latents, and which of them are outside the range of images."""
        images, excess = decode_chunks_with_overshoot(self.model, z, labels, decode=self._decode_compiled, bar=self.bar)
        return images, is_outside(excess)


def _spread(mask: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of the indices where a mask is true, spread evenly: images may be sorted by class."""
    indices = np.flatnonzero(mask)
    return indices[spread_positions(len(indices), count)]
