"""A judge of generated images: a classifier that has only ever seen real training images."""

import dataclasses

import numpy as np
from sklearn.multioutput import MultiOutputClassifier
from sklearn.svm import SVC

from glow_tf.evaluation import batched

SIDE = 32
"""Larger images are averaged down to about this side before they are judged."""
LIMIT = 5000
"""Real images that a judge learns from at most."""


class Judge:
    """A support vector machine on the pixels of real images.

    Args:
        images: uint8 `[n, H, W, C]`, real training images.
        tags: bool `[n, a]`. Where every image has exactly one they are classes, and one machine decides among them;
            else each tag has a machine of its own.
    """

    def __init__(self, images, tags):
        self.tags = tags.shape[1]
        self.exclusive = self.tags > 1 and bool((tags.sum(1) == 1).all())
        machine = SVC(C=10, gamma="scale", class_weight=None if self.exclusive else "balanced")
        if self.exclusive:
            self._machine = machine.fit(_features(images), tags.argmax(1))
        else:
            self._machine = MultiOutputClassifier(machine).fit(_features(images), tags.astype(int))

    def named(self, images):
        """Which tags it sees, bool `[n, a]`."""
        found = self._machine.predict(_features(images))
        return found[:, None] == np.arange(self.tags) if self.exclusive else found.astype(bool)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How often a judge names the class rightly, in [0, 1].

    Args:
        real: on real test images.
        samples: on samples of the model, against the class each was drawn for.
        shuffled: on the same samples, against their classes in a random order.
        by_class: `samples` for each class alone.
        images: the samples, uint8 `[n, H, W, C]`.
        classes: int `[n]`, which each was drawn for.
    """

    real: float
    samples: float
    shuffled: float
    by_class: list
    images: np.ndarray
    classes: np.ndarray


def judge_samples(subject, count=500, temperature=0.7, seed=0, bar=None):
    """Trains a `Judge` on real training images and lets it name the class of conditional samples: a `Verdict`.

    `shuffled` is the chance level of the very same samples: only the labels are shuffled, after sampling, and no
    second model is trained on shuffled labels. An even draw of k classes gives 1/k.
    """
    classes = subject.model.config.classes
    images, labels, _ = subject.arrays("train", LIMIT)
    judge = Judge(images, labels[:, None] == np.arange(classes))
    test_images, test_labels, _ = subject.arrays("test", LIMIT)
    wanted = np.arange(count) % classes
    drawn = batched.sample(subject.model, count, temperature, wanted, seed, bar)
    named = judge.named(drawn)
    right = named[np.arange(count), wanted]
    return Verdict(
        real=float(judge.named(test_images)[np.arange(len(test_labels)), test_labels].mean()),
        samples=float(right.mean()),
        shuffled=float(named[np.arange(count), np.random.default_rng(seed).permutation(wanted)].mean()),
        by_class=[float(right[wanted == c].mean()) for c in range(min(classes, count))],
        images=drawn,
        classes=wanted,
    )


def _features(images):
    n, height, width, channels = images.shape
    factor = max(1, min(height, width) // SIDE)
    height, width = height // factor, width // factor
    parts = images[:, : height * factor, : width * factor].reshape(n, height, factor, width, factor, channels)
    return parts.mean((2, 4), dtype=np.float32).reshape(n, -1) / 255
