"""The training of a model, and the anchor rule of the original code."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Literal

from glow_tf.config.checks import Count, require
from glow_tf.fields import Between, check_fields

ANCHOR_SIZE = 32
"""Height and width, in pixels, of the images in which the original code counts an epoch."""

ANCHOR_EPOCH = 50_000
"""Images of an epoch at the anchor size."""

MAX_SEED = 2**43 - 1
"""The greatest seed of a training run; the seeds of its random streams are a million times as large."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The training of a model; a value of None is derived by the anchor rule of the original code (see `anchored`).

    `train.py --help` describes the fields.

    Example:
        >>> TrainingConfig(batch_size=64).anchored((32, 32, 3)).epoch_steps
        782
    """

    batch_size: Annotated[int, Between(1, 10**6)] = 512
    """Images per step over all replicas and machines."""
    optimizer: Literal["adamax", "adam"] = "adamax"
    """The optimizer: the original code's variant of Adamax or of Adam."""
    learning_rate: Annotated[float, Between(0, 1000, open_low=True)] = 1e-3
    """Learning rate after the warm-up."""
    beta1: Annotated[float, Between(0, 1, open_high=True)] = 0.9
    """Decay rate of the first moment."""
    beta2: Annotated[float, Between(0, 1, open_high=True)] | None = None
    """Decay rate of the second moment and of the EMA of the weights; None: 1 - 1 / epoch_steps."""
    epoch_steps: Count | None = None
    """Steps per epoch; None: the anchor rule."""
    warmup_steps: Annotated[float, Between(0, 10**9)] | None = None
    """Steps over which the learning rate rises linearly from 0; None: ten epochs by the anchor rule."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up: constant (the paper), or a cosine decay to 0 at the last epoch."""
    epochs: Count | None = None
    """Epochs to train; None: train until stopped."""
    weight_decay: Annotated[float, Between(0, 1, open_low=True)] = 1.0
    """Factor by which the weights are multiplied at every step, as in the original code: 1 turns it off, and a decay of
    0.0001 is 0.9999."""
    init_images: Annotated[int, Between(1, 10**6)] | None = None
    """Images of the data-dependent initialization; None: 256 at the anchor size, fewer for larger images."""
    seed: Annotated[int, Between(-MAX_SEED, MAX_SEED)] = 0
    """Seed of the order of the data, of noise and of augmentation."""
    patience: Count = 50
    """Stop after this many consecutive steps with a non-finite loss or gradient; every such step is skipped."""

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            self.weight_decay >= 0.5,
            "weight_decay: expected the factor on the weights at every step, as in the original code, of at least 0.5 "
            f"(1 turns it off, and a decay of 0.0001 is 0.9999), got {self.weight_decay}.",
        )
        require(
            self.schedule == "constant" or self.epochs is not None,
            "schedule: a cosine decay ends at the last epoch, so it needs epochs.",
        )

    def anchored(self, image_shape: Sequence[int]) -> "AnchoredTraining":
        """Return this configuration with every None of the anchor rule filled in, for images of a given shape.

        The original counts an epoch as 50,000 images at 32x32 pixels, and an image of s x s pixels as (s / 32)^2
        images. With `A = batch_size * H * W / 32^2`: `epoch_steps = ceil(50000 / A)`,
        `warmup_steps = 10 * 50000 / A`, `beta2 = 1 - 1 / epoch_steps`. The initialization takes
        `256 * 32^2 / (H * W)` images.

        Args:
            image_shape: `(H, W, C)`.
        """
        size = image_shape[0] * image_shape[1] / ANCHOR_SIZE**2
        images = self.batch_size * size
        epoch_steps = self.epoch_steps or math.ceil(ANCHOR_EPOCH / images)
        derived = {
            "epoch_steps": epoch_steps,
            "warmup_steps": 10 * ANCHOR_EPOCH / images if self.warmup_steps is None else self.warmup_steps,
            "beta2": 1 - 1 / epoch_steps if self.beta2 is None else self.beta2,
            "init_images": self.init_images or max(1, int(256 / max(size, 1))),
        }
        return AnchoredTraining(**{**vars(self), **derived})


@dataclasses.dataclass(frozen=True)
class AnchoredTraining(TrainingConfig):
    """A training in which no value of the anchor rule is None, as `TrainingConfig.anchored` returns it."""

    epoch_steps: Count = dataclasses.field(kw_only=True)
    warmup_steps: Annotated[float, Between(0, 10**9)] = dataclasses.field(kw_only=True)
    beta2: Annotated[float, Between(0, 1, open_high=True)] = dataclasses.field(kw_only=True)
    init_images: Annotated[int, Between(1, 10**6)] = dataclasses.field(kw_only=True)
