"""What the configuration file of a run keeps of its start, by which a resume recognizes it; no options."""

import dataclasses
from typing import Literal

from glow_tf.fields import check_fields


@dataclasses.dataclass(frozen=True)
class SplitRecord:
    """The record of how a run held images out, by which other data are recognized."""

    rule: Literal["name", "position"]
    """Held out by a hash of the image's name, or by its position."""
    images: int | None = None
    """Images to split when the run was started; None in runs of format 1, which kept no record."""
    digest: str | None = None
    """Digest of the source: of its images with labels and attributes, of their checksums or names, or of the name and
    the sizes of a data set of TFDS; None if images were held out by name, or if the run kept none."""
    test: float | None = None
    """Hash below which a name is one of the test split; None if the source has that split."""
    validation: float | None = None
    """Hash below which a name that is left is one of the validation split; None if the source has that split."""
    classes: tuple[str, ...] | None = None
    """Names of the classes in the order of their labels; None without labels, and of runs before format 3."""

    def __post_init__(self) -> None:
        check_fields(self)


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
