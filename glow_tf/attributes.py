"""Attribute vectors: directions in latent space along which an image gains or loses an attribute (paper, section 6)."""

import dataclasses

import numpy as np
from sklearn.linear_model import LogisticRegression

from glow_tf.errors import GlowError
from glow_tf.runs import write_atomically

SCALE = 1.6
"""The original's factor: at strength 1 an image goes 1.6 times the way from the negatives to the positives."""

REGULARISATION = 0.1
"""scikit-learn's C of the logistic regression; at 0.001 its directions are those of the means (cosine 0.9998)."""


class AttributesError(GlowError, ValueError):
    """Attributes that cannot be made or read; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Attributes:
    """Directions in latent space.

    Args:
        names: of the attributes.
        directions: float `[len(names), D]` in flat latents (see `latents`); at strength 1 one is added whole.
    """

    names: tuple
    directions: np.ndarray

    def __post_init__(self):
        if self.directions.ndim != 2 or len(self.names) != len(self.directions):
            raise AttributesError(
                f"attributes: expected directions [{len(self.names)}, D], one per name, got {self.directions.shape}."
            )

    def apply(self, z, strengths):
        """Flat latents `[n, D]` moved by `strengths`, `{name: float}`; several add up."""
        for name, strength in strengths.items():
            z = z + strength * self.direction(name)
        return z.astype(np.float32)

    def direction(self, name):
        """The direction `[D]` of a name."""
        if name not in self.names:
            raise AttributesError(f"attribute: expected one of {', '.join(self.names)}, got {name!r}.")
        return self.directions[self.names.index(name)]

    def positions(self, z):
        """A slider's position: where flat latents `[n, D]` lie on each direction, `z . d / |d|^2`, `[n, names]`."""
        return z @ self.directions.T / np.sum(np.square(self.directions), 1)

    def save(self, path):
        """Writes a `.npz` that `load_attributes` reads."""

        def write(temporary):
            with open(temporary, "wb") as file:
                np.savez(file, names=np.array(self.names), directions=self.directions)

        write_atomically(path, write)


def difference_of_means(z, tags, names):
    """The original's recipe: `1.6 * (mean z of the positives - mean z of the negatives)`.

    Args:
        z: flat latents `[n, D]`.
        tags: bool `[n, len(names)]`.
        names: of the attributes.
    """
    return _directions(z, tags, names, lambda name, some: SCALE * (z[some].mean(0) - z[~some].mean(0)))


def by_logistic_regression(z, tags, names):
    """Directions of classifiers on latents, as long as the part of the original's that lies along them."""

    def direction(name, some):
        weights = LogisticRegression(C=REGULARISATION, max_iter=1000).fit(z, some).coef_[0]
        unit = weights / np.linalg.norm(weights)
        return SCALE * unit * (unit @ (z[some].mean(0) - z[~some].mean(0)))

    return _directions(z, tags, names, direction)


METHODS = {"means": difference_of_means, "logistic": by_logistic_regression}


def _directions(z, tags, names, direction):
    tags, found = np.asarray(tags, bool), []
    for name, some in zip(names, tags.T, strict=True):
        if some.all() or not some.any():
            raise AttributesError(f"attribute {name!r}: all {len(some)} images are alike in it; give some of both.")
        found.append(direction(name, some))
    return Attributes(tuple(names), np.stack(found).astype(np.float32))


def load_attributes(path, dims):
    """Reads attributes of a model of D = `dims`: our `.npz`, or the original's `z_manipulate.npy` `[n, D]`.

    Nothing pickled is loaded. The original's file has no names: CelebA's 40 tags are given to 40 directions.
    """
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            names, directions = _default_names(len(stored)), stored
        else:
            names, directions = tuple(map(str, stored["names"])), stored["directions"]
    except (OSError, ValueError, KeyError, EOFError, TypeError) as error:
        raise AttributesError(f"{path} cannot be read as attributes (.npz of ours, or .npy [n, D]): {error}") from error
    if directions.ndim != 2 or directions.shape[1] != dims or directions.dtype.kind != "f":
        got = f"{directions.dtype} {directions.shape}"
        raise AttributesError(f"{path}: expected float directions [n, {dims}], got {got}.")
    return Attributes(names, directions)


def _default_names(count):
    from glow_tf.data.tfrecord import ATTRIBUTES

    return ATTRIBUTES if count == len(ATTRIBUTES) else tuple(f"attribute_{i}" for i in range(count))
