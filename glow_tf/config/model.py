"""The architecture of a Glow."""

import dataclasses
import math
from typing import Annotated, Literal

from glow_tf.config.checks import require
from glow_tf.counts import counted
from glow_tf.errors import ConfigError
from glow_tf.fields import Between, check_fields

MAX_CHANNELS = 2**13
"""The greatest number of channels in a level; the matrix of its 1x1 convolution has as many rows and columns."""

Side = Annotated[int, Between(1, 4096)]
"""Height or width of an image in pixels."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The architecture of a Glow (section 3 and Table 4 of https://arxiv.org/abs/1807.03039).

    `train.py --help` describes the fields.

    Example:
        >>> ModelConfig(image_shape=(64, 64, 3), bits=5, levels=4).dims
        12288
    """

    image_shape: tuple[Side, Side, Annotated[int, Between(1, 64)]] = (32, 32, 3)
    """Height, width, channels; height and width must be multiples of 2^levels."""
    bits: Annotated[int, Between(1, 8)] = 8
    """Bits per channel, 1 to 8 (the paper's 5-bit and 8-bit images)."""
    levels: Annotated[int, Between(1, 12)] = 3
    """L, the number of levels."""
    depth: Annotated[int, Between(1, 1024)] = 32
    """K, the number of flow steps per level."""
    width: Annotated[int, Between(1, 2**14)] = 512
    """Hidden channels of the coupling networks."""
    permutation: Literal["1x1", "lu", "shuffle", "reverse"] = "1x1"
    """Permutation of channels: invertible 1x1 convolution, its LU form, fixed shuffle, reverse."""
    coupling: Literal["affine", "additive"] = "affine"
    """Coupling layer: affine scales and shifts, additive only shifts."""
    scale: Literal["sigmoid", "exp"] = "sigmoid"
    """Scale of an affine coupling: the original code's sigmoid(h + 2), or the paper's exp(h)."""
    learn_top: bool = True
    """Learn the top prior's mean and standard deviation."""
    classes: Annotated[int, Between(0, 100_000)] = 0
    """Number of classes of a conditional model; 0 makes the model unconditional."""
    weight_y: Annotated[float, Between(0, 10**6)] = 0.0
    """Weight of the classifier's cross-entropy (in bits) in the loss of a conditional model."""
    network_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Mixed precision inside the coupling networks; None computes in the model's dtype."""
    recompute: bool | None = None
    """Recompute each step in the backward pass to save memory; None: only for 64x64 pixels or more."""
    init_seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Seed of the random initial weights."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            self.weight_y == 0 or self.classes > 0,
            f"weight_y={self.weight_y} needs a conditional model: set classes to the number of labels.",
        )
        self._check_size()
        channels = self.image_shape[2] * 2 ** (self.levels + 1)
        require(
            channels <= MAX_CHANNELS,
            f"levels: expected at most {MAX_CHANNELS:,} channels in the last level; with levels={self.levels} and "
            f"images of {counted(self.image_shape[2], 'channel')} it has {channels:,}.",
        )

    def _check_size(self) -> None:
        """Raise a `ConfigError` if the levels do not halve the image evenly."""
        factor = 2**self.levels
        height, width, _ = self.image_shape
        if height % factor == 0 and width % factor == 0:
            return
        nearest = [sorted({max(s // factor, 1) * factor, math.ceil(s / factor) * factor}) for s in (height, width)]
        possible = [n for n in range(1, self.levels) if height % 2**n == 0 and width % 2**n == 0]
        raise ConfigError(
            f"image_shape: each level halves an image, so with levels={self.levels} height and width must be multiples "
            f"of {factor}, got {height}x{width}; the nearest valid sizes are height "
            f"{' or '.join(map(str, nearest[0]))}, width {' or '.join(map(str, nearest[1]))}"
            + (f", or at most {counted(max(possible), 'level')}." if possible else ".")
        )

    @property
    def dims(self) -> int:
        """Return D, the number of values in an image."""
        return math.prod(self.image_shape)

    @property
    def recomputes(self) -> bool:
        """Return `recompute`, with None replaced by the default for the image size."""
        height, width, _ = self.image_shape
        return height * width >= 64 * 64 if self.recompute is None else self.recompute
