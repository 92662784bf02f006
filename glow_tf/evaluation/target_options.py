"""The options that say what is evaluated: the model, its data, and where the results go."""

import dataclasses
from typing import Annotated, Literal

import tyro

from glow_tf.fields import PathText, check_fields, option_name


@dataclasses.dataclass(frozen=True)
class TargetOptions:
    """The options that every sub-command has; their docstrings are the command's help."""

    path: tyro.conf.Positional[Annotated[PathText, tyro.conf.arg(metavar="RUN")]]
    """Run folder, a .keras file, which needs --data, or a preset whose weights come with the package."""
    data: Annotated[PathText | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Source of the images, such as bundled:digits; the run's own if not given."""
    fit: Literal["exact", "pad", "resize", "crop"] | None = None
    """How images of another size are fitted; as in training if not given, and with another --data not at all."""
    ema: bool = False
    """Use the EMA weights instead of the raw ones (bits measures both, except of --images)."""
    out: Annotated[PathText | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder for pictures and numbers; if not given, RUN/evaluation, or next to the .keras file, where the EMA weights,
    another --data, --fit and --class-attributes have folders of their own."""
    class_attributes: tuple[PathText, ...] = ()
    """Attributes that the classes are made of; those of the training if not given, which a .keras file does not say."""
    devices: str = "auto"
    """auto (every visible GPU, else the CPU), cpu, or a number of GPUs (of logical CPU devices without a GPU); bits/dim
    are measured on all of them."""
    on_damaged: Literal["stop", "skip"] | None = None
    """What to do with a damaged image: stop and name it, or name it and leave it out; as in training if not given."""
    cache: Literal["auto", "off"] = "auto"
    """auto: decode each image once, and read what training has decoded; off: decode it anew each time."""
    cache_dir: PathText | None = None
    """Folder for the files of decoded images, as in training."""

    def __post_init__(self) -> None:
        if not isinstance(self.devices, str):
            object.__setattr__(self, "devices", str(self.devices))  # a number
        check_fields(self, lambda name: "RUN" if name == "path" else option_name(name))
