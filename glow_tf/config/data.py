"""The images: their source, and their processing before quantization."""

import dataclasses
from typing import Annotated, Literal

from glow_tf.config.checks import require
from glow_tf.config.records import SplitRecord
from glow_tf.errors import did_you_mean
from glow_tf.fields import Between, PathText, check_fields

SOURCE_KINDS = ("bundled", "tfds", "folder", "npz", "npy", "tfrecord", "lsun-lmdb")
"""Kinds of image sources, the part of `DataConfig.source` before the colon."""

NO_SOURCE = "none"
"""`DataConfig.source` of a run that was imported without images."""

MAX_CLASS_ATTRIBUTES = 10
"""The greatest number of attributes whose combinations are classes; 10 give 1,024 classes."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The source of the images and their processing before quantization.

    `train.py --help` describes the fields.

    Example:
        >>> DataConfig("folder:my/images", fit="resize", flip=True).validation
        0.05
    """

    source: str = "bundled:digits"
    """`kind:where`, where kind is bundled, tfds, folder, npz, npy, tfrecord or lsun-lmdb."""
    fit: Literal["exact", "pad", "resize", "crop", "random_crop"] = "exact"
    """How to fit an image of another size to image_shape: exact raises an error; pad adds zeros around it; resize
    scales the shorter side (by area) and crops the center; crop crops the center without scaling; random_crop crops
    at a random position in training and the center otherwise."""
    augment: Literal["none", "shift", "full"] = "none"
    """The original code's augmentation: shift moves images by up to 10 %; full also flips, rotates by up to 15 degrees,
    zooms by up to 0.1 and shears by up to 0.02 degrees."""
    flip: bool = False
    """Flip images horizontally at random in training."""
    validation: Annotated[float, Between(0, 1, open_low=True, open_high=True)] = 0.05
    """Fraction of the training split held out for validation if the source has no validation split: by a hash of each
    image's name, or by position where images have no names."""
    labels: bool = False
    """Read labels; a conditional model needs them."""
    class_attributes: tuple[PathText, ...] = ()
    """Attributes of the images, such as smiling beard. Their combinations replace the labels of the source: n
    attributes make 2^n classes."""
    on_damaged: Literal["stop", "skip"] = "stop"
    """What to do with a damaged image or record: stop and name it, or name it and skip it."""
    paper_protocol: bool = False
    """Train on the whole training split and select on the test split, as the original did."""
    split_record: SplitRecord | None = None
    """How a run held out its images; not an option, as the run folder keeps it. None before the run has started."""

    def __post_init__(self) -> None:
        if isinstance(self.split_record, dict):  # of a configuration file
            object.__setattr__(self, "split_record", SplitRecord(**self.split_record))
        check_fields(self)
        kind, _, where = self.source.partition(":")
        require(
            (kind in SOURCE_KINDS and bool(where)) or self.source == NO_SOURCE,
            f"source: expected kind:where with kind one of {', '.join(SOURCE_KINDS)} "
            f"(such as bundled:digits or folder:my/images), got {self.source!r}."
            + ("" if kind in SOURCE_KINDS else did_you_mean(kind, SOURCE_KINDS)),
        )
        require(
            self.labels or not self.class_attributes,
            "class_attributes: they become the labels of a conditional model; set labels=True as well.",
        )
        require(
            len(set(self.class_attributes)) == len(self.class_attributes) <= MAX_CLASS_ATTRIBUTES,
            f"class_attributes: expected at most {MAX_CLASS_ATTRIBUTES} names that differ, got "
            f"{', '.join(self.class_attributes)}.",
        )
