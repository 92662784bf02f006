"""The configuration: frozen dataclasses for the model, the data and the training, apart from one another."""

import dataclasses
import math
from typing import Literal

from glow_tf.errors import GlowError


class ConfigError(GlowError, ValueError):
    """A configuration that cannot work; the message says what was expected, what came, and what to do."""


def require(condition, message):
    if not condition:
        raise ConfigError(message)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What a Glow is made of (paper, section 3 and table 4)."""

    image_shape: tuple[int, int, int] = (32, 32, 3)
    """Height, width, channels; height and width multiples of 2^levels."""
    bits: int = 8
    """Bits per channel, 1 to 8 (the paper's 5-bit and 8-bit images)."""
    levels: int = 3
    """L."""
    depth: int = 32
    """K, flow steps per level."""
    width: int = 512
    """Hidden channels of the coupling networks."""
    permutation: Literal["1x1", "lu", "shuffle", "reverse"] = "1x1"
    """Invertible 1x1 convolution, its LU form, fixed shuffle, reverse."""
    coupling: Literal["affine", "additive"] = "affine"
    scale: Literal["sigmoid", "exp"] = "sigmoid"
    """Scale of an affine coupling: the original code's sigmoid(h + 2), or the paper's exp(h)."""
    learn_top: bool = True
    """Whether the top prior's mean and deviation are learned."""
    classes: int = 0
    """Number of classes of a conditional model; 0 is unconditional."""
    weight_y: float = 0.0
    """Weight of the classifier's cross-entropy (in bits) in the loss of a conditional model."""
    network_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Mixed precision inside the coupling networks; None computes in the model's dtype."""
    recompute: bool | None = None
    """Recompute each step in the backward pass to save memory; None: from 64x64 pixels up."""
    init_seed: int = 0
    """Seed of the random initial weights."""

    def __post_init__(self):
        object.__setattr__(self, "image_shape", tuple(int(s) for s in self.image_shape))
        require(
            len(self.image_shape) == 3 and min(self.image_shape) > 0,
            f"image_shape: expected height, width, channels, all positive, got {self.image_shape}.",
        )
        for name in ("levels", "depth", "width"):
            require(getattr(self, name) >= 1, f"{name}: expected at least 1, got {getattr(self, name)}.")
        require(1 <= self.bits <= 8, f"bits: expected 1 to 8, got {self.bits}.")
        require(self.classes >= 0, f"classes: expected 0 (unconditional) or more, got {self.classes}.")
        require(
            self.weight_y == 0 or self.classes > 0,
            f"weight_y={self.weight_y} needs a conditional model: set classes to the number of labels.",
        )
        require(self.weight_y >= 0, f"weight_y: expected 0 or more, got {self.weight_y}.")
        for name, choices in (
            ("permutation", ("1x1", "lu", "shuffle", "reverse")),
            ("coupling", ("affine", "additive")),
            ("scale", ("sigmoid", "exp")),
            ("network_dtype", (None, "float32", "bfloat16", "float16")),
        ):
            value = getattr(self, name)
            require(value in choices, f"{name}: expected one of {', '.join(map(str, choices))}, got {value!r}.")
        self._check_size()

    def _check_size(self):
        factor = 2**self.levels
        height, width, _ = self.image_shape
        if height % factor == 0 and width % factor == 0:
            return
        nearest = [sorted({max(s // factor, 1) * factor, math.ceil(s / factor) * factor}) for s in (height, width)]
        fits = [n for n in range(1, self.levels) if height % 2**n == 0 and width % 2**n == 0]
        raise ConfigError(
            f"image_shape: {self.levels} levels halve an image {self.levels} times, so height and width must be "
            f"multiples of {factor}, got {height}x{width}; nearest that would do: height "
            f"{' or '.join(map(str, nearest[0]))}, width {' or '.join(map(str, nearest[1]))}"
            + (f", or at most {max(fits)} levels." if fits else ".")
        )

    @property
    def dims(self):
        """D, the number of values in an image."""
        return math.prod(self.image_shape)

    @property
    def recomputes(self):
        """`recompute` with its default settled."""
        height, width, _ = self.image_shape
        return height * width >= 64 * 64 if self.recompute is None else self.recompute


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the images come from and what is done to them before they are quantised."""

    source: str = "bundled:digits"
    """`kind:where`, kind one of bundled, tfds, folder, npz, npy, tfrecord, lsun-lmdb."""
    fit: Literal["exact", "pad", "resize", "crop", "random_crop"] = "exact"
    """How an image of another size becomes image_shape: an error; zeros around it; the shorter side resized (area)
    and the centre cropped; cropped at the centre without resizing; cropped at random in training (else centre)."""
    augment: Literal["none", "shift", "full"] = "none"
    """The original's levels: shifts of up to 10 %; also flips, rotation 15 degrees, zoom 0.1, shear 0.02."""
    flip: bool = False
    """Random horizontal flips in training."""
    validation: float = 0.05
    """Share of the training split held out for validation (fixed seed) where the source has no such split."""
    labels: bool = False
    """Whether labels are read; a conditional model needs them."""
    on_damaged: Literal["stop", "skip"] = "stop"
    """What a damaged image or record does: stop with its name, or be named and skipped."""
    paper_protocol: bool = False
    """Train on the whole training split and select on the test split, as the original did."""

    def __post_init__(self):
        kind, _, where = self.source.partition(":")
        require(
            kind in ("bundled", "tfds", "folder", "npz", "npy", "tfrecord", "lsun-lmdb") and bool(where),
            f"source: expected kind:where with kind one of bundled, tfds, folder, npz, npy, tfrecord, lsun-lmdb "
            f"(such as bundled:digits or folder:my/images), got {self.source!r}.",
        )
        require(0 < self.validation < 1, f"validation: expected a share between 0 and 1, got {self.validation}.")
        for name, choices in (
            ("fit", ("exact", "pad", "resize", "crop", "random_crop")),
            ("augment", ("none", "shift", "full")),
            ("on_damaged", ("stop", "skip")),
        ):
            value = getattr(self, name)
            require(value in choices, f"{name}: expected one of {', '.join(choices)}, got {value!r}.")


ANCHOR_SIZE = 32
ANCHOR_EPOCH = 50_000


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. `None` derives a value by the paper's anchor rule (see `anchored`)."""

    batch_size: int = 512
    """Images per step over all replicas and machines."""
    optimizer: Literal["adamax", "adam"] = "adamax"
    """The original's variants of Adamax and Adam."""
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float | None = None
    """Decay of the second moment and of the moving average; None: 1 - 1 / epoch_steps."""
    epoch_steps: int | None = None
    """Steps per epoch; None: the anchor rule."""
    warmup_steps: float | None = None
    """Steps over which the learning rate rises linearly from 0; None: ten epochs by the anchor rule."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After the warm-up: constant (the paper), or a cosine decay to 0 at the last epoch."""
    epochs: int | None = None
    """None trains until stopped."""
    weight_decay: float = 1.0
    """Factor on the weights at every step; 1 is off (the original's option)."""
    init_images: int | None = None
    """Images of the data-dependent initialisation; None: 256 at the anchor size, fewer for larger images."""
    seed: int = 0
    """Seed of the order of the data, of noise and of augmentation."""
    patience: int = 50
    """Stop after this many steps in a row with a non-finite loss or gradient, each of which is skipped."""

    def __post_init__(self):
        for name in ("batch_size", "patience"):
            require(getattr(self, name) >= 1, f"{name}: expected at least 1, got {getattr(self, name)}.")
        for name in ("epoch_steps", "epochs", "init_images"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name}: expected at least 1, got {value}.")
        require(self.learning_rate > 0, f"learning_rate: expected more than 0, got {self.learning_rate}.")
        require(
            self.warmup_steps is None or self.warmup_steps >= 0,
            f"warmup_steps: expected 0 or more, got {self.warmup_steps}.",
        )
        require(0 <= self.beta1 < 1, f"beta1: expected 0 <= beta1 < 1, got {self.beta1}.")
        require(self.beta2 is None or 0 <= self.beta2 < 1, f"beta2: expected 0 <= beta2 < 1, got {self.beta2}.")
        require(self.optimizer in ("adamax", "adam"), f"optimizer: expected adamax or adam, got {self.optimizer!r}.")
        require(
            self.schedule in ("constant", "cosine"), f"schedule: expected constant or cosine, got {self.schedule!r}."
        )
        require(
            self.schedule == "constant" or self.epochs is not None,
            "schedule: a cosine decay ends at the last epoch, so it needs epochs.",
        )

    def anchored(self, image_shape):
        """This configuration with every None of the anchor rule filled in, for images of that shape.

        The original counts an epoch as 50,000 images at 32x32 pixels, and an image of s x s pixels as (s / 32)^2 of
        them. With `A = batch_size * H * W / 32^2`: `epoch_steps = ceil(50000 / A)`, `warmup_steps = 10 * 50000 / A`,
        `beta2 = 1 - 1 / epoch_steps`; the initialisation takes `256 * 32^2 / (H * W)` images.
        """
        size = image_shape[0] * image_shape[1] / ANCHOR_SIZE**2
        images = self.batch_size * size
        epoch_steps = self.epoch_steps or math.ceil(ANCHOR_EPOCH / images)
        return dataclasses.replace(
            self,
            epoch_steps=epoch_steps,
            warmup_steps=10 * ANCHOR_EPOCH / images if self.warmup_steps is None else self.warmup_steps,
            beta2=1 - 1 / epoch_steps if self.beta2 is None else self.beta2,
            init_images=self.init_images or max(1, int(256 / max(size, 1))),
        )


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A model, its data and its training: what a preset names and what a run folder keeps."""

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    name: str = "custom"
    about: str = ""
    """One line: what it is and where its numbers come from."""

    def __post_init__(self):
        require(
            not self.model.classes or self.data.labels,
            f"classes={self.model.classes} makes the model conditional, so the data needs labels=True.",
        )

    def to_dict(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values):
        parts = {"model": ModelConfig, "data": DataConfig, "training": TrainingConfig}
        return cls(**{k: parts[k](**v) if k in parts else v for k, v in values.items()})


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a run is carried out; all of it may differ when a run is taken up again."""

    run_dir: str | None = None
    """The run folder; None: runs/<preset>."""
    devices: str = "auto"
    """auto (every visible GPU, else the CPU), cpu, or a number of GPUs (of logical CPU devices without a GPU)."""
    deterministic: bool = False
    """TensorFlow's op determinism: a run on one CPU repeats, and resumes, bit by bit; slower."""
    tf32: bool = False
    """Allow TensorFloat-32 on GPUs that have it: faster, but inversion is no longer exact."""
    jit_compile: bool = False
    """Compile the loss and its gradient with XLA; for GPUs, it does not help on a CPU."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints; one is also written at the end of every epoch."""
    keep_checkpoints: int = 3
    validate_every: int = 1
    """Epochs between validations."""
    sample_every: int | None = None
    """Epochs between sample sheets; None: only at the end."""

    def __post_init__(self):
        for name in ("checkpoint_minutes", "keep_checkpoints", "validate_every"):
            require(getattr(self, name) > 0, f"{name}: expected more than 0, got {getattr(self, name)}.")
        require(
            self.sample_every is None or self.sample_every >= 1,
            f"sample_every: expected at least 1 epoch, got {self.sample_every}.",
        )
