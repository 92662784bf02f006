"""Do attribute directions act? What a judge sees in images before and after they are moved along one."""

import dataclasses

import numpy as np

from glow_tf.evaluation import batched


@dataclasses.dataclass(frozen=True)
class Pool:
    """Images that neither judge nor directions were made of, with what is true of them.

    Args:
        images: uint8 `[n, H, W, C]`.
        labels: int `[n]` for a conditional model, else None.
        tags: bool `[n, len(names)]`.
        names: of the tags.
    """

    images: np.ndarray
    labels: np.ndarray
    tags: np.ndarray
    names: tuple

    def group(self, name, having, count):
        """`(images, labels)` of the first `count` images that have the attribute, or have it not."""
        some = np.flatnonzero(self.tags[:, self.names.index(name)] == having)[:count]
        return self.images[some], None if self.labels is None else self.labels[some]


def accuracy(judge, pool):
    """How often the judge is right about real images, for each tag: dictionary of name -> balanced share."""
    seen = judge.named(pool.images)
    return {
        name: float(np.mean([(seen[pool.tags[:, i] == has, i] == has).mean() for has in (True, False)]))
        for i, name in enumerate(pool.names)
        if 0 < pool.tags[:, i].sum() < len(pool.tags)
    }


def shares_seen(model, judge, pool, attributes, name, count=50, bar=None):
    """The share of images in which the judge sees an attribute, before and after: dictionary.

    `without` and `without_moved`: of images without it, at strengths 0 and 1; `with` and `with_moved`: of images with
    it, at 0 and -1. At strength 0 an image is its own reconstruction.
    """
    found, place = {}, pool.names.index(name)
    for key, having, strength in (("without", False, 1.0), ("with", True, -1.0)):
        images, labels = pool.group(name, having, count)
        z = batched.encode(model, images, labels)
        for suffix, by in (("", 0.0), ("_moved", strength)):
            moved = batched.decode(model, attributes.apply(z, {name: by}), labels, bar)
            found[key + suffix] = float(judge.named(moved)[:, place].mean())
    return found
