"""Attribute vectors: directions in latent space along which an image gains or loses an attribute."""

import dataclasses
import numbers
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from glow_tf import presets
from glow_tf.array_files import NPY, ArrayArchive, file_kind, read_array
from glow_tf.celeba import ATTRIBUTES
from glow_tf.deprecation import renamed_attributes
from glow_tf.errors import ConfigError, DataError
from glow_tf.extras import optional_packages
from glow_tf.io import write_atomically
from glow_tf.model_files import names_attributes, packaged_attributes
from glow_tf.types import TensorLike

SCALE = 1.6
"""Ratio of a direction's length to the distance between the two means, as in the original code."""

INVERSE_REGULARIZATION = 0.1
"""scikit-learn's C of the logistic regression; at 0.001 its directions are those of the means (cosine 0.9998)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Attributes:
    """Directions in latent space along which an image gains or loses an attribute.

    Section 6 of the paper, https://arxiv.org/abs/1807.03039.

    Args:
        names: names of the attributes.
        directions: float `[len(names), D]` in flat latents (see `glow_tf.latents`); strength 1 adds the full vector.

    Raises:
        DataError: there is not one direction per name, a name occurs twice, or a direction is zero or not finite.

    Example:
        >>> attributes = Attributes(("smiling",), np.array([[0.0, 2.0]]))
        >>> z = np.zeros([1, 2], np.float32)
        >>> attributes.apply(z, {"smiling": 0.5}).tolist()
        [[0.0, 1.0]]
    """

    names: tuple[str, ...]
    directions: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _checked_names(self.names))
        directions = np.asarray(self.directions)
        if directions.ndim != 2 or len(self.names) != len(directions) or directions.dtype.kind not in "iuf":
            expected = f"directions as numbers [{len(self.names)}, D], one row per name"
            raise DataError(f"attributes: expected {expected}, got {directions.dtype} {directions.shape}.")
        # The squares of integers and of half precision would overflow without a word.
        directions = directions.astype(np.result_type(directions, np.float32), copy=False)
        object.__setattr__(self, "directions", directions)
        if len(set(self.names)) < len(self.names):
            raise DataError(f"attributes: expected names that differ, got {', '.join(self.names)}.")
        for name, direction in zip(self.names, self.directions, strict=True):
            if not np.all(np.isfinite(direction)) or not np.any(direction):
                raise DataError(f"attribute {name!r}: expected a finite direction that is not zero.")

    def apply(self, z: TensorLike, strengths: Mapping[str, float]) -> np.ndarray:
        """Move flat latents along directions.

        Args:
            z: floats `[n, D]`.
            strengths: attribute name -> strength; the moves along several attributes add up.

        Returns:
            float32 `[n, D]`.

        Raises:
            DataError: a name is unknown, a strength is not a finite number, or the latents have another size.
        """
        moved = self._checked_latents(z)
        for name, strength in strengths.items():
            if not isinstance(strength, numbers.Real) or not np.isfinite(strength):
                raise DataError(f"attribute {name!r}: expected a finite number as strength, got {strength!r}.")
            moved = moved + strength * self.direction(name)
        return moved.astype(np.float32)

    def direction(self, name: str) -> np.ndarray:
        """Return the direction `[D]` of an attribute; raise a `DataError` if there is none of that name."""
        if name not in self.names:
            raise DataError(f"attribute: expected one of {', '.join(self.names)}, got {name!r}.")
        return self.directions[self.names.index(name)]

    def positions(self, z: TensorLike) -> np.ndarray:
        """Compute the positions `z . d / |d|^2` of flat latents `[n, D]` along each direction: float `[n, names]`."""
        return self._checked_latents(z) @ self.directions.T / np.sum(np.square(self.directions), 1)

    def _checked_latents(self, z: TensorLike) -> np.ndarray:
        array, dims = np.asarray(z), self.directions.shape[1]
        if array.ndim == 0 or array.shape[-1] != dims or array.dtype.kind != "f":
            raise DataError(f"z: expected flat latents, floats [n, {dims}], got {array.dtype} {list(array.shape)}.")
        return array

    def save(self, path: pathlib.Path | str) -> None:
        """Write a `.npz` file that `load_attributes` reads; raise a `RunError` if it cannot be written."""

        def write(temporary: pathlib.Path) -> None:
            with open(temporary, "wb") as file:
                np.savez(file, names=np.array(self.names), directions=self.directions)

        write_atomically(path, write)


def difference_of_means(z: TensorLike, tags: TensorLike, names: Sequence[str]) -> Attributes:
    """Compute directions as the original code does: `1.6 * (mean z of the positives - mean z of the negatives)`.

    Args:
        z: flat latents `[n, D]`.
        tags: bool `[n, len(names)]`.
        names: names of the attributes.

    Returns:
        The directions.

    Raises:
        DataError: an attribute has no positives or no negatives, or shapes or types do not fit.

    Example:
        >>> z = np.array([[0.0, 0.0], [0.0, 5.0]])
        >>> difference_of_means(z, [[False], [True]], ["smiling"]).direction("smiling").tolist()
        [0.0, 8.0]
    """
    latents, masks = _check_tags(z, tags, names)
    return _to_attributes(names, [SCALE * _mean_difference(latents, mask) for mask in masks])


def by_logistic_regression(z: TensorLike, tags: TensorLike, names: Sequence[str]) -> Attributes:
    """Compute directions of linear classifiers, each as long as the projection of `difference_of_means` onto it.

    Arguments, result and errors are those of `difference_of_means`.
    """
    latents, masks = _check_tags(z, tags, names)
    return _to_attributes(names, [_logistic_direction(latents, mask) for mask in masks])


METHODS: dict[str, Callable[[TensorLike, TensorLike, Sequence[str]], Attributes]] = {
    "means": difference_of_means,
    "logistic": by_logistic_regression,
}
"""Functions that compute directions, by the name of the method."""


def load_attributes(path: pathlib.Path | str, dims: int | None = None) -> Attributes:
    """Read attributes of a preset, from our `.npz`, or from the original code's `z_manipulate.npy` `[n, D]`.

    Nothing pickled is loaded. The original code's file has no names: 40 directions get the names of CelebA's 40 tags.

    Args:
        path: the file to read, or the name of a preset whose weights come with the package, such as `"faces"`; its
            directions belong to the model that `Glow.from_preset` returns. A file of arrays of that name counts first.
        dims: D, the number of values in an image; None accepts any.

    Raises:
        ConfigError: no attributes of the preset come with the package.
        DataError: the file is damaged or its directions have another size.

    Example:
        >>> load_attributes("faces").names[:4]
        ('smiling', 'beard', 'moustache', 'long hair')
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Attributes(("smiling",), np.ones([1, 64])).save(f"{folder}/attributes.npz")
        ...     load_attributes(f"{folder}/attributes.npz", dims=64).names
        ('smiling',)
    """
    path = _locate(path)
    if file_kind(path) == NPY:
        directions = read_array(path)
        names = _default_names(len(directions) if directions.ndim else 0)
    else:
        with ArrayArchive(path) as archive:
            if not {"names", "directions"} <= archive.keys():
                raise DataError(f"{path}: expected arrays names and directions, got {', '.join(archive) or 'none'}.")
            names, directions = _names_of(archive["names"]), archive["directions"]
    if directions.ndim != 2 or dims not in (None, directions.shape[1]) or directions.dtype.kind != "f":
        expected, actual = f"[n, {'D' if dims is None else dims}]", f"{directions.dtype} {directions.shape}"
        raise DataError(f"{path}: expected float directions {expected}, got {actual}.")
    try:
        return Attributes(names, directions)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _locate(path: pathlib.Path | str) -> pathlib.Path | str:
    """Return the path of a file, which may be that of a preset's attributes."""
    if not names_attributes(path):
        return path
    packaged = packaged_attributes(str(path))
    if packaged is None:
        raise ConfigError(
            f"no attributes of the preset {path} come with glow_tf, only those of "
            f"{', '.join(filter(packaged_attributes, presets.PRESETS)) or 'none'}."
        )
    return packaged


def _names_of(array: np.ndarray) -> tuple[str, ...]:
    """Return the names in an array of text or bytes, without the marks that text files of Windows leave."""
    if array.dtype.kind == "S":
        array = np.strings.decode(array, "utf-8", "replace")
    return tuple(str(name).strip("\ufeff\r\n ") for name in array.ravel())


def _check_tags(z: TensorLike, tags: TensorLike, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the latents, and a mask of the positives per name, bool `[names, n]`.

    Raises:
        DataError: an attribute is constant, or shapes or types do not fit.
    """
    z, tags = np.asarray(z), np.asarray(tags)
    if z.ndim != 2 or z.dtype.kind != "f" or not np.all(np.isfinite(z)):
        raise DataError(f"z: expected finite flat latents, floats [n, D], got {z.dtype} {list(z.shape)}.")
    if tags.shape != (len(z), len(names)) or not np.all((tags == 0) | (tags == 1)):
        got = f"{tags.dtype} {list(tags.shape)}"
        raise DataError(f"tags: expected bool or 0 and 1, [{len(z)}, {len(names)}], got {got}.")
    masks = tags.astype(bool).T
    for name, mask in zip(names, masks, strict=True):
        if mask.all() or not mask.any():
            raise DataError(f"attribute {name!r}: the images ({len(mask):,}) are all alike in it; give some of both.")
    return z, masks


def _mean_difference(z: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return z[mask].mean(0) - z[~mask].mean(0)


def _logistic_direction(z: np.ndarray, mask: np.ndarray) -> np.ndarray:
    with optional_packages():
        from sklearn.linear_model import LogisticRegression  # takes a second to import
    weights = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=1000).fit(z, mask).coef_[0]
    unit = weights / np.linalg.norm(weights)
    return SCALE * unit * (unit @ _mean_difference(z, mask))


def _checked_names(names: str | Iterable[Any]) -> tuple[str, ...]:
    """Return names as a tuple; raise a `DataError` if they are not several texts."""
    names = (names,) if isinstance(names, str) else tuple(names)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DataError(f"attributes: expected names as text, got {wrong[0]!r}.")
    return names


def _to_attributes(names: Iterable[str], directions: Sequence[np.ndarray]) -> Attributes:
    return Attributes(tuple(names), np.stack(directions).astype(np.float32))


def _default_names(count: int) -> tuple[str, ...]:
    return ATTRIBUTES if count == len(ATTRIBUTES) else tuple(f"attribute_{i}" for i in range(count))


__getattr__ = renamed_attributes(__name__, {"AttributesError": ("DataError", DataError)})
