"""A judge of conditional samples: a classifier that has only ever seen real training images."""

import dataclasses

import numpy as np
from sklearn.svm import SVC


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Accuracies in [0, 1]: on real test images; on samples by class; on the same samples with labels shuffled."""

    real: float
    samples: float
    shuffled: float
    count: int

    def to_dict(self):
        return dataclasses.asdict(self)


def judge(subject, count=500, temperature=0.7, seed=0):
    """Trains the judge on real training images and lets it name the class of conditional samples: a `Verdict`.

    With shuffled labels the model still draws from the same distribution of images, so what is left is chance.
    """
    images, labels, _ = subject.arrays("train")
    test_images, test_labels, _ = subject.arrays("test")
    classifier = SVC(C=10, gamma="scale").fit(_features(images), labels)
    wanted = np.arange(count) % subject.model.config.classes
    drawn = np.concatenate(
        [
            subject.model.sample(len(part), temperature, labels=part, seed=(seed, i)).numpy()
            for i, part in enumerate(np.array_split(wanted, -(-count // 100)))
        ]
    )
    named = classifier.predict(_features(drawn))
    shuffled = np.random.default_rng(seed).permutation(wanted)
    return Verdict(
        real=float(np.mean(classifier.predict(_features(test_images)) == test_labels)),
        samples=float(np.mean(named == wanted)),
        shuffled=float(np.mean(named == shuffled)),
        count=count,
    )


def _features(images):
    return images.reshape(len(images), -1).astype(np.float32) / 255
