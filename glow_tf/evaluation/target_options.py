"""The options that say what is evaluated: the model, its data, and where the results go."""

import dataclasses
from typing import Annotated, Literal

import tyro

from glow_tf.fields import PathText, check_fields, option_name


@dataclasses.dataclass(frozen=True)
class TargetOptions:
    """The options that every sub-command has; their docstrings are the command's help."""

    path: tyro.conf.Positional[Annotated[PathText, tyro.conf.arg(metavar="RUN")]]
    """A run folder, a .keras file (which needs --data), or a preset whose weights come with the package."""
    data: Annotated[PathText | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Source of the images, such as bundled:digits; the run's own if not given."""
    fit: Literal["exact", "pad", "resize", "crop"] | None = None
    """How to fit images of another size; if not given, as in training, or not at all with another --data."""
    ema: bool = False
    """Use the EMA weights instead of the raw ones (bits measures both, except with --images)."""
    out: Annotated[PathText | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder for pictures and numbers; if not given, RUN/evaluation, or next to the .keras file, with separate folders
    for the EMA weights and for another --data, --fit or --class-attributes."""
    class_attributes: tuple[PathText, ...] = ()
    """Attributes whose combinations are the classes; if not given, those of the training, which a .keras file lacks."""
    devices: str = "auto"
    """auto (every visible GPU, else the CPU), cpu, or a number of GPUs (without a GPU, of logical CPU devices);
    bits/dim is measured on all of them."""
    on_damaged: Literal["stop", "skip"] | None = None
    """What to do with a damaged image: stop and name it, or name it and skip it; if not given, as in training."""
    cache: Literal["auto", "off"] = "auto"
    """auto: decode each image once, and read what training has decoded; off: decode each image anew every time."""
    cache_dir: PathText | None = None
    """Folder for the files of decoded images, as in training."""

    def __post_init__(self) -> None:
        if not isinstance(self.devices, str):
            object.__setattr__(self, "devices", str(self.devices))  # a number
        check_fields(self, lambda name: "RUN" if name == "path" else option_name(name))
