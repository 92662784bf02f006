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


def shares_seen(model, judge, pool, methods, name, count=50, bar=None):
    """The share of images in which the judge sees an attribute, before and after.

    Args:
        methods: dictionary of method -> `Attributes`.
        count: images with the attribute, and as many without it, at most.

    Returns:
        A dictionary of `without` and `with`, the images as they are (strength 0: their own reconstructions), and for
        each method `without +1 <method>` and `with -1 <method>`, the images moved along its direction.
    """
    found, place = {}, pool.names.index(name)
    for group, having, strength in (("without", False, 1.0), ("with", True, -1.0)):
        images, labels = pool.group(name, having, count)
        z = batched.encode(model, images, labels)
        moved = {group: z}
        moved.update({f"{group} {strength:+g} {m}": d.apply(z, {name: strength}) for m, d in methods.items()})
        labels = None if labels is None else np.tile(labels, len(moved))
        seen = judge.named(batched.decode(model, np.concatenate(list(moved.values())), labels, bar))[:, place]
        found.update(zip(moved, map(float, seen.reshape(len(moved), -1).mean(1)), strict=True))
    return found
