"""The model and data that are evaluated: of a run folder, of a `.keras` file, or of a preset with its weights."""

import dataclasses
import functools
import json
import math
import pathlib
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import tensorflow as tf
import tyro

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment
from glow_tf.data import images, open_source, pipeline
from glow_tf.data.files import DamagedRecordError
from glow_tf.data.hold_out import same_splits
from glow_tf.data.image_files import ENDINGS, read_image
from glow_tf.data.source import Source
from glow_tf.data.splits import spread_positions
from glow_tf.errors import ConfigError, DataError
from glow_tf.fields import PathText, check_fields, option_name
from glow_tf.io import write_text
from glow_tf.model import Glow
from glow_tf.model_files import is_packaged
from glow_tf.runs import Run, is_keras_file, load_model
from glow_tf.training import devices
from glow_tf.training.old_splits import check_old_split
from glow_tf.types import Images, ImageShape


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
    """Folder for pictures and numbers; if not given, RUN/evaluation, or next to the .keras file; those of the EMA
    weights and of another --data are in folders of their own there."""
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


@dataclasses.dataclass(frozen=True)
class EvaluationContext:
    """A trained model with its data, as `open_context` opens it.

    Args:
        path: run folder or `.keras` file.
        data: configuration of the source of its images.
        experiment: the experiment of a run folder, else None.
        out: folder for pictures and numbers.
        ema: whether `model` has the EMA weights.
        file_model: the model of a `.keras` file or of a preset, else None.
        strategy: the `tf.distribute` strategy of the models.
        cache_options: keyword arguments `cache` and `cache_dir` of `open_source`.
    """

    path: pathlib.Path
    data: DataConfig
    experiment: Experiment | None
    out: pathlib.Path
    ema: bool = False
    file_model: Glow | None = None
    strategy: tf.distribute.Strategy = dataclasses.field(default_factory=tf.distribute.get_strategy)
    cache_options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def model(self) -> Glow:
        """Return the model, with the weights that `ema` says."""
        return self.load(self.ema)

    def load(self, ema: bool) -> Glow:
        """Load the model with its raw or its EMA weights; a `.keras` file holds only one set of weights."""
        if self.file_model is not None:
            return self.file_model
        with self.strategy.scope():
            return load_model(self.path, ema=ema)

    @functools.cached_property
    def source(self) -> Source:
        """Open the source of the images, with labels as the model needs them.

        Raises:
            DataError: its number of classes is not that of a conditional model.
        """
        source = open_source(self.data, self.model.image_shape, **self.cache_options)
        classes = self.model.config.classes
        if classes and source.classes != classes:
            raise DataError(
                f"{source.name} has {source.classes or 'no'} classes, the model is conditional on {classes}; give a "
                "source whose labels are those."
            )
        if self.experiment is not None and self.data.source == self.experiment.data.source:
            check_old_split(Run(self.path), self.data, source)
        elif self.experiment is not None and _may_be_moved(self.experiment.data, self.data.source):
            _warn_of_other_splits(self.experiment.data, source)
        if source.credits:
            print(source.credits, file=sys.stderr)
        return source

    @property
    def weight_sets(self) -> dict[str, bool]:
        """Return `ema` for `load` by the name of the weights.

        A `.keras` file holds one set, and so may an imported run.
        """
        if self.experiment is None:
            return {"file": self.ema}
        return {"raw": False} | ({"ema": True} if Run(self.path).has_ema else {})

    @property
    def weights_name(self) -> str:
        """Name the weights of `model`."""
        if self.experiment is None:
            return "the file's weights"
        return "EMA weights" if self.ema else "raw weights"

    @property
    def caption(self) -> str:
        """Name the run, or the file, and the weights of `model`, for pictures."""
        return f"{self.path.resolve().name}, {self.weights_name}"

    def describe_test_split(self) -> str:
        """Describe the test split in words: its size, and whether it was used for model selection."""
        rows, count = self.source.rows, self.source.size("test")
        if self.data.paper_protocol:
            return f"{count:,} test images (on which the weights were selected, as the paper did)"
        if np.array_equal(rows["test"], rows["validation"]):
            return f"{count:,} validation images (there is no test split)"
        return f"{count:,} test images"

    def batches(
        self, split: str = "test", *, batch_size: int = 128, draw: int = 0, limit: int | None = None
    ) -> tf.data.Dataset:
        """Return evaluation batches of a split (see `glow_tf.data.pipeline`), enough for `limit` images."""
        shape = self.model.image_shape
        batches = pipeline.evaluation_batches(
            self.source, split, self.data, image_shape=shape, batch_size=batch_size, seed=0, draw=draw
        )
        return batches if limit is None else batches.take(math.ceil(limit / batch_size))

    def arrays(self, split: str = "test", limit: int | None = None) -> tuple[Images, np.ndarray, np.ndarray]:
        """Return `(images, labels, attributes)` of the first `limit` images of a split as NumPy arrays."""
        return pipeline.arrays(self.source, split, self.data, self.model.image_shape, limit)

    def spread_arrays(self, split: str, limit: int) -> tuple[Images, np.ndarray, np.ndarray]:
        """Return what `arrays` does, of at most `limit` images that are spread evenly over a split."""
        rows = self.source.rows_of(split)
        rows = rows[spread_positions(len(rows), limit)]
        return pipeline.arrays(self.source, split, self.data, self.model.image_shape, rows=rows)

    def model_labels(self, labels: Any) -> Any:
        """Return the labels for a conditional model, None for an unconditional one."""
        return labels if self.model.config.classes else None

    def write_json(self, name: str, values: Mapping[str, Any]) -> pathlib.Path:
        """Write values with the path, source and weights that they belong to; return the path of the file."""
        path = self.out / name
        values = {"path": str(self.path), "source": self.data.source, "weights": self.weights_name, **values}
        write_text(path, json.dumps(_to_plain(values), indent=2, allow_nan=False) + "\n")
        return path


def open_context(
    target: TargetOptions | pathlib.Path | str, strategy: tf.distribute.Strategy | None = None
) -> EvaluationContext:
    """Open a trained model and its data.

    Args:
        target: the options, or the path of a run folder.
        strategy: the `tf.distribute` strategy of the models; None: that of the option `devices`.

    Raises:
        ConfigError: a `.keras` file comes without a source of images.
        RunError: the path is no run folder or `.keras` file that can be read.
    """
    target = target if isinstance(target, TargetOptions) else TargetOptions(str(target))
    path, model = pathlib.Path(target.path), None
    model_strategy = strategy or devices.evaluation_strategy(target.devices)
    if is_keras_file(path) or is_packaged(target.path):
        with model_strategy.scope():
            model, data = _open_file(target)
        experiment = None
        out = path.with_name(path.stem + "_evaluation")
    else:
        run = Run.open(path)
        experiment, out = run.experiment(), run.evaluation
        data = experiment.data
        if target.data not in (None, data.source):
            data = _moved(data, target.data, bool(experiment.model.classes))
    if target.class_attributes:
        data = dataclasses.replace(data, class_attributes=target.class_attributes)
    if target.fit is not None:
        data = dataclasses.replace(data, fit=target.fit)
    if target.on_damaged is not None:
        data = dataclasses.replace(data, on_damaged=target.on_damaged)
    out = _own_folder(out, target, experiment) if target.out is None else pathlib.Path(target.out)
    cache_options = dict(cache=target.cache, cache_dir=target.cache_dir)
    return EvaluationContext(path, data, experiment, out, target.ema, model, model_strategy, cache_options)


def _open_file(target: TargetOptions) -> tuple[Glow, DataConfig]:
    """Return the model of a `.keras` file or of a preset, and its data."""
    source = target.data
    if is_packaged(target.path):
        if target.ema:
            raise ConfigError(f"{target.path}: one set of weights comes with the package; leave --ema out.")
        model, data = Glow.from_preset(target.path), presets.get(target.path).data
        if source in (None, data.source):
            return model, data
    else:
        model = load_model(target.path, ema=target.ema)
    if source is None:
        raise ConfigError(f"{target.path} does not say what it was trained on; give --data, such as bundled:digits.")
    return model, DataConfig(source, labels=bool(model.config.classes))


def _own_folder(out: pathlib.Path, target: TargetOptions, experiment: Experiment | None) -> pathlib.Path:
    """Return the folder for what is not of the raw weights and the run's data, lest it replace what is."""
    parts = ["ema"] if target.ema else []
    if experiment is not None and target.data not in (None, experiment.data.source):
        parts.append(file_word(target.data))
    return out.joinpath("_".join(parts)) if parts else out


def _moved(data: DataConfig, source: str, labels: bool) -> DataConfig:
    """Return the configuration of another source than the run's.

    One of the same kind may be the run's data at another place, so its splits are drawn as they were for the run.
    """
    moved = DataConfig(
        source,
        labels=labels,
        validation=data.validation,
        class_attributes=data.class_attributes if labels else (),
        on_damaged=data.on_damaged,
    )
    if not _may_be_moved(data, source):
        return moved
    record = data.split_record and dataclasses.replace(data.split_record, images=None, digest=None)
    return dataclasses.replace(moved, paper_protocol=data.paper_protocol, split_record=record)


def _may_be_moved(data: DataConfig, source: str) -> bool:
    """Return whether a source is another one than that of a run's `DataConfig`, of the same kind."""
    return source != data.source and source.partition(":")[0] == data.source.partition(":")[0]


def _warn_of_other_splits(data: DataConfig, source: Source) -> None:
    """Warn if a source, which may be that of a run's configuration at another place, has other splits."""
    if data.split_record is None or source.split_record is None:
        return
    if not same_splits(source.split_record, data.split_record):
        warnings.warn(
            f"{source.name} has other splits than {data.source}: if it holds the images that the run was trained on, "
            "some of them are in its test split now.",
            stacklevel=2,
        )


def read_own_images(
    paths: Sequence[pathlib.Path | str], image_shape: ImageShape, fit: images.FitMode = "resize"
) -> Images:
    """Read a user's image files as uint8 `[n, H, W, C]`.

    Args:
        paths: paths of the files.
        image_shape: the shape that the images are fitted to.
        fit: how images of another size are fitted (see `DataConfig.fit`).

    Raises:
        DataError: a file cannot be read as an image, or not be fitted.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (20, 16)).save(f"{folder}/image.png")
        ...     read_own_images(find_image_files(folder), (8, 8, 3)).shape
        (1, 8, 8, 3)
    """
    try:
        return np.stack([_fit(read_image(path), path, image_shape, fit) for path in paths])
    except DamagedRecordError as error:
        raise DataError(f"{error}.") from error


def _fit(image: np.ndarray, path: pathlib.Path | str, image_shape: ImageShape, fit: images.FitMode) -> np.ndarray:
    images.check_shape(image.shape, image_shape, DataConfig(f"folder:{path}", fit=fit))
    return images.fit(image, image_shape, fit).numpy()


def find_image_files(folder: pathlib.Path | str) -> list[pathlib.Path]:
    """Return the paths of the image files in a folder, sorted by name.

    Raises:
        DataError: there are none.
    """
    folder = pathlib.Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    if not paths:
        raise DataError(f"no images ({', '.join(ENDINGS)}) in {folder}.")
    return paths


def file_word(text: str) -> str:
    """Return a text as a part of a file's name.

    Example:
        >>> file_word("folder:my/cats")
        'folder_my_cats'
    """
    return re.sub(r"[^\w.+-]+", "_", text, flags=re.ASCII).strip("._")[-100:] or "unnamed"


def _to_plain(value: Any) -> Any:
    """Convert a value to what JSON can hold: NumPy's numbers to Python's, non-finite ones to null."""
    if isinstance(value, dict):
        return {str(k): _to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_to_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
