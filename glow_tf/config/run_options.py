"""The options of a run that do not define it."""

import dataclasses
import re
from typing import Annotated, Literal

from glow_tf.config.checks import Count, require
from glow_tf.fields import Between, PathText, TensorFlowPath, check_fields


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not define it; all but `init_from` and `init_ema` may change when it is resumed.

    `train.py --help` describes the fields.

    Example:
        >>> RunOptions(run_dir="runs/digits", devices="cpu").checkpoint_minutes
        10.0
    """

    run_dir: TensorFlowPath | None = None
    """The run folder; None: runs/<preset>."""
    devices: str = "auto"
    """auto (every visible GPU, else the CPU), cpu, or a number of GPUs (without a GPU, of logical CPU devices)."""
    deterministic: bool = False
    """Turn on TensorFlow's op determinism: on one CPU, runs and resumed runs are bit-identical; slower on GPUs."""
    tf32: bool = False
    """Allow TensorFloat-32 on GPUs that have it: faster, but inversion is no longer exact."""
    jit_compile: Literal["auto", "on", "unrolled", "off"] = "auto"
    """Compile the training step with XLA; auto: on GPUs. The first step then takes up to a minute. unrolled: compile
    each flow step by itself, which takes minutes at K=32 and gives faster steps on a GPU; without recompute."""
    checkpoint_minutes: Annotated[float, Between(0, 10**6, open_low=True)] = 10.0
    """Minutes between checkpoints; one is also written at the end of every epoch."""
    keep_checkpoints: Annotated[int, Between(1, 10_000)] = 3
    """Number of checkpoints to keep."""
    validate_every: Count = 1
    """Epochs between validations."""
    sample_every: Count | None = None
    """Epochs between sample sheets; None: as the preset says, or only at the end."""
    tensorboard: bool = True
    """Write event files for TensorBoard, if it is installed."""
    init_from: PathText | None = None
    """Weights from which a new run starts, instead of an initialization from data: a run folder (its best weights), a
    .keras or .weights.h5 file, or a preset whose weights come with glow_tf."""
    init_ema: bool = False
    """Take the EMA weights of the run folder in init_from instead of the raw ones."""
    cache: Literal["auto", "off"] = "auto"
    """auto: decode each image of a folder, TFRecords, LMDB or TFDS once, and keep it, in memory (up to 256 MiB in all,
    and never with random_crop) or in files; off: decode it anew each time."""
    cache_dir: PathText | None = None
    """Folder for the files of decoded images; None: the folder images in $GLOW_TF_CACHE, or else in the folder glow_tf
    of $XDG_CACHE_HOME or ~/.cache."""

    def __post_init__(self) -> None:
        if not isinstance(self.devices, str):
            object.__setattr__(self, "devices", str(self.devices))  # a number
        if isinstance(self.jit_compile, bool):  # as in earlier versions
            object.__setattr__(self, "jit_compile", "on" if self.jit_compile else "off")
        check_fields(self)
        require(
            self.devices in ("auto", "cpu") or re.fullmatch("[1-9][0-9]{0,3}", self.devices),
            f"devices: expected auto, cpu or a number from 1 to 9,999, got {self.devices!r}.",
        )
        require(not self.init_ema or self.init_from is not None, "init_ema: give init_from, the run to start from.")
