"""Configurations of the model, the data, the training and a run: frozen dataclasses.

The docstring of a field is its help text on the command line, and the values of a `Literal` are its choices.
"""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from glow_tf.errors import ConfigError, did_you_mean
from glow_tf.fields import Between, PathText, TensorFlowPath, check_fields

SOURCE_KINDS = ("bundled", "tfds", "folder", "npz", "npy", "tfrecord", "lsun-lmdb")
"""Kinds of image sources, the part of `DataConfig.source` before the colon."""

ANCHOR_SIZE = 32
"""Height and width in pixels of the images of which the original code counts an epoch."""
ANCHOR_EPOCH = 50_000
"""Images of an epoch at the anchor size."""

MAX_SEED = 2**43 - 1
"""The greatest seed of a training: the seeds of its streams of random numbers are a million times as large."""
MAX_BATCH_VALUES = 2**31 - 1
"""The greatest number of values in a batch of images: TensorFlow's kernels count them in 32 bits."""

MAX_CHANNELS = 2**13
"""The greatest number of channels of a level, whose 1x1 convolution has as many rows and columns."""

MAX_CLASS_ATTRIBUTES = 10
"""The greatest number of attributes that classes are made of, 1,024 combinations."""

Count = Annotated[int, Between(1, 10**9)]
"""A number of steps, epochs or the like."""
Side = Annotated[int, Between(1, 4096)]
"""Height or width of an image in pixels."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The architecture of a Glow (section 3 and Table 4 of https://arxiv.org/abs/1807.03039).

    Example:
        >>> ModelConfig(image_shape=(64, 64, 3), bits=5, levels=4).dims
        12288
    """

    image_shape: tuple[Side, Side, Annotated[int, Between(1, 64)]] = (32, 32, 3)
    """Height, width, channels; height and width multiples of 2^levels."""
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
    """Number of classes of a conditional model; 0 is unconditional."""
    weight_y: Annotated[float, Between(0, 10**6)] = 0.0
    """Weight of the classifier's cross-entropy (in bits) in the loss of a conditional model."""
    network_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Mixed precision inside the coupling networks; None computes in the model's dtype."""
    recompute: bool | None = None
    """Recompute each step in the backward pass to save memory; None: from 64x64 pixels up."""
    init_seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Seed of the random initial weights."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require(
            self.weight_y == 0 or self.classes > 0,
            f"weight_y={self.weight_y} needs a conditional model: set classes to the number of labels.",
        )
        self._check_size()
        channels = self.image_shape[2] * 2 ** (self.levels + 1)
        _require(
            channels <= MAX_CHANNELS,
            f"levels: {self.levels} levels of images of {self.image_shape[2]} channels give the last one {channels:,} "
            f"channels, expected at most {MAX_CHANNELS:,}.",
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
            f"image_shape: {self.levels} levels halve an image {self.levels} times, so height and width must be "
            f"multiples of {factor}, got {height}x{width}; the nearest valid sizes are height "
            f"{' or '.join(map(str, nearest[0]))}, width {' or '.join(map(str, nearest[1]))}"
            + (f", or at most {max(possible)} levels." if possible else ".")
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


@dataclasses.dataclass(frozen=True)
class SplitRecord:
    """The record of how a run held images out (see `glow_tf.data.hold_out`), by which other data are recognized."""

    rule: Literal["name", "position"]
    """Held out by a hash of the image's name, or by its position."""
    images: int | None = None
    """Images to split when the run was started; None in runs of format 1, which kept no record."""
    digest: str | None = None
    """Digest of these images, or of their checksums or names; None if they were held out by name."""
    test: float | None = None
    """Hash below which a name is one of the test split; None if the source has that split."""
    validation: float | None = None
    """Hash below which a name that is left is one of the validation split; None if the source has that split."""
    classes: tuple[str, ...] | None = None
    """Names of the classes in the order of their labels; None without labels, and of runs before format 3."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The source of the images and their processing before quantization.

    Example:
        >>> DataConfig("folder:my/images", fit="resize", flip=True).validation
        0.05
    """

    source: str = "bundled:digits"
    """`kind:where`, kind one of bundled, tfds, folder, npz, npy, tfrecord, lsun-lmdb."""
    fit: Literal["exact", "pad", "resize", "crop", "random_crop"] = "exact"
    """How to fit an image of another size to image_shape: exact raises an error; pad adds zeros around it; resize
    resizes the shorter side (by area) and crops the center; crop crops the center without resizing; random_crop crops
    at random in training and the center otherwise."""
    augment: Literal["none", "shift", "full"] = "none"
    """The original code's levels: shift moves images by up to 10 %; full also flips, rotates by up to 15 degrees, zooms
    by up to 0.1 and shears by up to 0.02 degrees."""
    flip: bool = False
    """Flip images horizontally at random in training."""
    validation: Annotated[float, Between(0, 1, open_low=True, open_high=True)] = 0.05
    """Fraction of the training split held out for validation if the source has no validation split: by a hash of each
    image's name, or by position where images have no names."""
    labels: bool = False
    """Read labels; a conditional model needs them."""
    class_attributes: tuple[PathText, ...] = ()
    """Attributes of the images, such as smiling beard: each combination of them is a class, in place of the labels that
    the source has; n attributes make 2^n classes."""
    on_damaged: Literal["stop", "skip"] = "stop"
    """What to do with a damaged image or record: stop and name it, or name it and skip it."""
    paper_protocol: bool = False
    """Train on the whole training split and select on the test split, as the original did."""
    split_record: SplitRecord | None = None
    """How a run held its images out; no option: the run folder keeps it. None of a run that is not started yet."""

    def __post_init__(self) -> None:
        if isinstance(self.split_record, dict):  # of a configuration file
            object.__setattr__(self, "split_record", SplitRecord(**self.split_record))
        check_fields(self)
        kind, _, where = self.source.partition(":")
        _require(
            kind in SOURCE_KINDS and bool(where),
            f"source: expected kind:where with kind one of {', '.join(SOURCE_KINDS)} "
            f"(such as bundled:digits or folder:my/images), got {self.source!r}."
            + ("" if kind in SOURCE_KINDS else did_you_mean(kind, SOURCE_KINDS)),
        )
        _require(
            self.labels or not self.class_attributes,
            "class_attributes: they become the labels of a conditional model; set labels=True as well.",
        )
        _require(
            len(set(self.class_attributes)) == len(self.class_attributes) <= MAX_CLASS_ATTRIBUTES,
            f"class_attributes: expected at most {MAX_CLASS_ATTRIBUTES} names that differ, got "
            f"{', '.join(self.class_attributes)}.",
        )


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The training of a model; `None` derives a value by the anchor rule of the original code (see `anchored`).

    Example:
        >>> TrainingConfig(batch_size=64).anchored((32, 32, 3)).epoch_steps
        782
    """

    batch_size: Annotated[int, Between(1, 10**6)] = 512
    """Images per step over all replicas and machines."""
    optimizer: Literal["adamax", "adam"] = "adamax"
    """The original code's variants of Adamax and Adam."""
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
    """Epochs to train; None trains until stopped."""
    weight_decay: Annotated[float, Between(0, 1, open_low=True)] = 1.0
    """Factor on the weights at every step; 1 is off (the original's option)."""
    init_images: Annotated[int, Between(1, 10**6)] | None = None
    """Images of the data-dependent initialization; None: 256 at the anchor size, fewer for larger images."""
    seed: Annotated[int, Between(-MAX_SEED, MAX_SEED)] = 0
    """Seed of the order of the data, of noise and of augmentation."""
    patience: Count = 50
    """Stop after this many steps in a row with a non-finite loss or gradient, each of which is skipped."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require(
            self.schedule == "constant" or self.epochs is not None,
            "schedule: a cosine decay ends at the last epoch, so it needs epochs.",
        )

    def anchored(self, image_shape: Sequence[int]) -> "AnchoredTraining":
        """Return this configuration with every None of the anchor rule filled in, for images of that shape.

        The original counts an epoch as 50,000 images at 32x32 pixels, and an image of s x s pixels as (s / 32)^2 of
        them. With `A = batch_size * H * W / 32^2`: `epoch_steps = ceil(50000 / A)`, `warmup_steps = 10 * 50000 / A`,
        `beta2 = 1 - 1 / epoch_steps`; the initialization takes `256 * 32^2 / (H * W)` images.

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


@dataclasses.dataclass(frozen=True)
class InitialWeights:
    """The record of the weights that a run started from, by which a resume recognizes them without the file."""

    path: str
    """Absolute path of a run folder or a file, or the name of a preset."""
    ema: bool = False
    """The EMA weights of a run folder instead of the raw ones."""
    digest: str | None = None
    """SHA-256 of the weights; None until they are read."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A model, its data and its training: the contents of a preset and of a run's configuration file.

    Example:
        >>> model = ModelConfig(image_shape=(8, 8, 1), levels=2, depth=4, width=64)
        >>> experiment = Experiment(model, DataConfig("bundled:digits"), TrainingConfig(batch_size=64))
        >>> Experiment.from_dict(experiment.to_dict()) == experiment
        True
    """

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    name: str = "custom"
    """Name of the preset that the experiment comes from."""
    about: str = ""
    """One line: the data set, the size, and the source of its numbers."""
    sample_every: Count | None = None
    """Epochs between sample sheets, where the options of the run say nothing; None: only at the end."""
    initial_weights: InitialWeights | None = None
    """Weights that the training starts from; None: an initialization from data."""

    def __post_init__(self) -> None:
        if isinstance(self.initial_weights, dict):  # of a configuration file
            object.__setattr__(self, "initial_weights", InitialWeights(**self.initial_weights))
        check_fields(self)
        _require(
            not self.model.classes or self.data.labels,
            f"classes={self.model.classes} makes the model conditional, so the data needs labels=True.",
        )
        self._check_batches()

    def _check_batches(self) -> None:
        """Raise a `ConfigError` if TensorFlow cannot hold a batch of so many images."""
        most, shape = MAX_BATCH_VALUES // self.model.dims, "x".join(map(str, self.model.image_shape))
        for name in ("batch_size", "init_images"):
            count = getattr(self.training, name) or 0  # None is derived, and small
            _require(count <= most, f"{name}: expected at most {most:,} images of {shape}, got {count:,}.")

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries that JSON can store."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the experiment of the dictionaries of `to_dict`."""
        parts = {"model": ModelConfig, "data": DataConfig, "training": TrainingConfig}
        return cls(**{k: parts[k](**v) if k in parts else v for k, v in values.items()})


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not define it; all but `init_from` may change when it is resumed.

    Example:
        >>> RunOptions(run_dir="runs/digits", devices="cpu").checkpoint_minutes
        10.0
    """

    run_dir: TensorFlowPath | None = None
    """The run folder; None: runs/<preset>."""
    devices: str = "auto"
    """auto (every visible GPU, else the CPU), cpu, or a number of GPUs (of logical CPU devices without a GPU)."""
    deterministic: bool = False
    """TensorFlow's op determinism: a run on one CPU repeats, and resumes, bit by bit; slower."""
    tf32: bool = False
    """Allow TensorFloat-32 on GPUs that have it: faster, but inversion is no longer exact."""
    jit_compile: Literal["auto", "on", "off"] = "auto"
    """Compile the training step with XLA; auto: on GPUs. The first step then takes up to a minute."""
    checkpoint_minutes: Annotated[float, Between(0, 10**6, open_low=True)] = 10.0
    """Minutes between checkpoints; one is also written at the end of every epoch."""
    keep_checkpoints: Annotated[int, Between(1, 10_000)] = 3
    """Number of checkpoints to keep."""
    validate_every: Count = 1
    """Epochs between validations."""
    sample_every: Count | None = None
    """Epochs between sample sheets; None: as the preset has it, or only at the end."""
    tensorboard: bool = True
    """Write event files for TensorBoard, where it is installed."""
    init_from: PathText | None = None
    """Weights to start a new run from, without an initialization from data: a run folder (its best weights), a .keras
    or .weights.h5 file, or a preset whose weights come with glow_tf."""
    init_ema: bool = False
    """Take the EMA weights of the run folder in init_from instead of the raw ones."""
    cache: Literal["auto", "off"] = "auto"
    """auto: decode each image of a folder, TFRecords, LMDB or TFDS once, and keep it, in memory (up to 256 MiB in all)
    or in files; off: decode it anew each time."""
    cache_dir: PathText | None = None
    """Folder for the files of decoded images; None: images in $GLOW_TF_CACHE, else in glow_tf of $XDG_CACHE_HOME or
    ~/.cache."""

    def __post_init__(self) -> None:
        if not isinstance(self.devices, str):
            object.__setattr__(self, "devices", str(self.devices))  # a number
        if isinstance(self.jit_compile, bool):  # as in earlier versions
            object.__setattr__(self, "jit_compile", "on" if self.jit_compile else "off")
        check_fields(self)
        _require(
            self.devices in ("auto", "cpu") or re.fullmatch("[1-9][0-9]{0,3}", self.devices),
            f"devices: expected auto, cpu or a number from 1 to 9,999, got {self.devices!r}.",
        )
        _require(not self.init_ema or self.init_from is not None, "init_ema: give init_from, the run to start from.")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ConfigError(message)
