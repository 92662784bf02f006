"""Accuracy on conditional samples of a classifier that is trained on real images only.

This is GAN-test (Shmelkov et al., ECCV 2018, https://arxiv.org/abs/1807.09499). The classification accuracy score (CAS;
Ravuri & Vinyals, 2019, https://arxiv.org/abs/1905.10887) is its counterpart, trained on samples and tested on real
images.
"""

import dataclasses

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from glow_tf.batched import ProgressBar
from glow_tf.evaluation.drawn_images import as_drawn, draw_images
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.types import Images

FEATURE_SIDE = 32
"""Larger images are averaged down to about this many pixels a side before they are classified."""
MAX_TRAINING_IMAGES = 5000
MAX_TEST_IMAGES = 5000


class SampleClassifier:
    """A support vector machine on the pixels of real images, which detects classes or attributes.

    All attributes share one matrix of the Gaussian kernel, whose width is that of scikit-learn's `gamma="scale"`.

    Args:
        images: uint8 `[n, H, W, C]`, real training images.
        tags: bool `[n, a]`. Where every image has exactly one they are classes, and one multi-class SVM is fitted;
            else one SVM per tag.

    Example:
        >>> images = np.repeat(np.array([0, 255], np.uint8), 4)[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
        >>> tags = np.repeat([[True, False], [False, True]], 4, axis=0)
        >>> SampleClassifier(images, tags).predict(images[-1:]).tolist()
        [[False, True]]
    """

    def __init__(self, images: Images, tags: np.ndarray) -> None:
        self.tag_count = tags.shape[1]
        self.exclusive = self.tag_count > 1 and bool((tags.sum(1) == 1).all())
        self._features = pixel_features(images)
        self._gamma = 1 / (self._features.shape[1] * (float(self._features.var()) or 1.0))
        kernel = self._kernel(images)
        columns = [tags.argmax(1)] if self.exclusive else list(tags.astype(int).T)
        self._machines = [self._fit(kernel, column) for column in columns]

    def predict(self, images: Images) -> np.ndarray:
        """Predict the tags of images: bool `[n, a]`."""
        kernel = self._kernel(images)
        predicted = np.stack([np.asarray(machine.predict(kernel)) for machine in self._machines], axis=1)
        return predicted == np.arange(self.tag_count) if self.exclusive else predicted.astype(bool)

    def _kernel(self, images: Images) -> np.ndarray:
        """Return the kernel of images and the training images: float64 `[n, training images]`."""
        return rbf_kernel(pixel_features(images), self._features, self._gamma).astype(np.float64)

    def _fit(self, kernel: np.ndarray, column: np.ndarray) -> SVC | DummyClassifier:
        if np.all(column == column[0]):
            return DummyClassifier(strategy="most_frequent").fit(kernel, column)
        weights = None if self.exclusive else "balanced"
        return SVC(C=10, kernel="precomputed", class_weight=weights).fit(kernel, column)


@dataclasses.dataclass(frozen=True, eq=False)
class ConditionalAccuracy:
    """Classification accuracies, in [0, 1].

    Args:
        real: accuracy on real test images.
        samples: accuracy on samples of the model, against the class that each was drawn for.
        shuffled: accuracy on the same samples, against their classes in a random order.
        by_class: `samples` for each class alone.
        images: the samples, uint8 `[n, H, W, C]`.
        classes: int `[n]`, the class that each was drawn for.
        non_finite: number of samples that are not finite, so no images; they count as wrong.
    """

    real: float
    samples: float
    shuffled: float
    by_class: list[float]
    images: np.ndarray
    classes: np.ndarray
    non_finite: int


def measure_accuracy(
    context: EvaluationContext,
    *,
    count: int = 500,
    temperature: float = 0.7,
    seed: int = 0,
    bar: ProgressBar | None = None,
) -> ConditionalAccuracy:
    """Measure how accurately a classifier, trained on real images, predicts the class of conditional samples.

    `shuffled` is the chance level of the very same samples: only the labels are shuffled, after sampling; no second
    model is trained on shuffled labels. An even draw of k classes gives 1/k. The classifier sees real images rounded to
    the bits of the model, as samples are.

    Args:
        context: a conditional model and its data.
        count: number of samples, evenly of all classes.
        temperature: temperature of the samples.
        seed: seed of the samples and of the shuffling.
        bar: progress bar that counts images, or None.

    Returns:
        The accuracies, and the samples.
    """
    classes = context.model.config.classes
    images, labels, _ = context.spread_arrays("train", MAX_TRAINING_IMAGES)
    test_images, test_labels, _ = context.spread_arrays("test", MAX_TEST_IMAGES)
    images, test_images = (as_drawn(array, context.model) for array in (images, test_images))
    classifier = SampleClassifier(images, labels[:, None] == np.arange(classes))
    targets = np.arange(count) % classes
    drawn = draw_images(context.model, count, temperature, targets, seed=seed, bar=bar)
    predicted = classifier.predict(drawn.images) & drawn.finite[:, None]
    correct = predicted[np.arange(count), targets]
    shuffled = np.random.default_rng(seed).permutation(targets)
    return ConditionalAccuracy(
        real=float(classifier.predict(test_images)[np.arange(len(test_labels)), test_labels].mean()),
        samples=float(correct.mean()),
        shuffled=float(predicted[np.arange(count), shuffled].mean()),
        by_class=[float(correct[targets == c].mean()) for c in range(min(classes, count))],
        images=drawn.images,
        classes=targets,
        non_finite=drawn.non_finite,
    )


def pixel_features(images: Images) -> np.ndarray:
    """Average images down by a whole factor and flatten them: float32 `[n, features]` in [0, 1]."""
    n, height, width, channels = images.shape
    factor = max(1, min(height, width) // FEATURE_SIDE)
    height, width = height // factor, width // factor
    blocks = images[:, : height * factor, : width * factor].reshape(n, height, factor, width, factor, channels)
    return blocks.mean((2, 4), dtype=np.float32).reshape(n, -1) / 255
