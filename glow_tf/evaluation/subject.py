"""What is evaluated: a run folder, or a model in a `.keras` file."""

import dataclasses
import functools
import json
import math
import pathlib
from typing import Annotated, Literal

import numpy as np
import tyro

from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline
from glow_tf.evaluation.checks import EvaluationError
from glow_tf.runs import Run, load_model, write_atomically


@dataclasses.dataclass(frozen=True)
class Target:
    """The options that every sub-command has."""

    path: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN")]]
    """Run folder, or a .keras file, which needs --data."""
    data: Annotated[str | None, tyro.conf.arg(metavar="SOURCE")] = None
    """Source of the images, such as bundled:digits; that of the run if none is given."""
    fit: Literal["exact", "pad", "resize", "crop"] | None = None
    """What happens to images of another size; as in training, and with another --data nothing."""
    average: bool = False
    """The averaged weights instead of the raw ones (bits measures both)."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Where pictures and numbers go; RUN/evaluation, or beside the .keras file, if none is given."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A trained model with its data.

    Args:
        path: run folder or `.keras` file.
        data: where its images come from.
        experiment: of a run folder, else None.
        out: folder of what is written.
        averaged: whether `model` has the averaged weights.
        file_model: the `Glow` of a `.keras` file, which was read for its configuration.
    """

    path: pathlib.Path
    data: DataConfig
    experiment: object
    out: pathlib.Path
    averaged: bool = False
    file_model: object = None

    @functools.cached_property
    def model(self):
        """The `Glow`."""
        return self.load(self.averaged)

    def load(self, averaged):
        """The `Glow` with its raw or its averaged weights; a `.keras` file holds only one of them."""
        return load_model(self.path, averaged) if self.file_model is None else self.file_model

    @functools.cached_property
    def source(self):
        """The `Source` of the images, with labels as the model needs them."""
        source, classes = open_source(self.data, self.model.image_shape), self.model.config.classes
        if classes and source.classes != classes:
            raise EvaluationError(
                f"{source.name} has {source.classes or 'no'} classes, the model is conditional on {classes}; give a "
                "source whose labels are those."
            )
        return source

    @property
    def sets_of_weights(self):
        """`{name: whether averaged}`; a `.keras` file holds one set, and so may a run that was imported."""
        if self.experiment is None:
            return {"file": self.averaged}
        return {"raw": False} | ({"averaged": True} if Run(self.path).has_average else {})

    @property
    def weights(self):
        """Which weights `model` has, in words."""
        if self.experiment is None:
            return "the file's weights"
        return "averaged weights" if self.averaged else "raw weights"

    @property
    def test_images(self):
        """What the test split is, in words: its size, and whether it is one that training never looked at."""
        rows, count = self.source.rows, self.source.size("test")
        if self.data.paper_protocol:
            return f"{count:,} test images (on which the weights were selected, as the paper did)"
        if np.array_equal(rows["test"], rows["validation"]):
            return f"{count:,} validation images (there is no test split)"
        return f"{count:,} test images"

    def batches(self, split="test", batch_size=128, draw=0, limit=None):
        """Evaluation batches of a split (see `data.pipeline`), cut after `limit` images."""
        options = dict(image_shape=self.model.image_shape, batch_size=batch_size, seed=0, draw=draw)
        batches = pipeline.evaluation_batches(self.source, split, self.data, **options)
        return batches if limit is None else batches.take(-(-limit // batch_size))

    def arrays(self, split="test", limit=None):
        """`(images, labels, attributes)` of a split as NumPy arrays, at most `limit`."""
        return pipeline.arrays(self.source, split, self.data, self.model.image_shape, limit)

    def labels(self, labels):
        """The labels for a conditional model, None for another."""
        return labels if self.model.config.classes else None

    def write_json(self, name, values):
        """Writes `values` and what they are of beside the pictures, and returns the path."""
        path = self.out / name
        values = {"path": str(self.path), "source": self.data.source, "weights": self.weights, **values}
        text = json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"
        write_atomically(path, lambda p: p.write_text(text))
        return path


def open_subject(target):
    """The `Subject` of a `Target`, or of a path."""
    target = target if isinstance(target, Target) else Target(str(target))
    path, model = pathlib.Path(target.path), None
    if path.suffix == ".keras":
        if target.data is None:
            raise EvaluationError(f"{path} does not say what it was trained on; give --data, such as bundled:digits.")
        model, experiment = load_model(path, target.average), None
        data = DataConfig(target.data, labels=bool(model.config.classes))
        out = path.with_name(path.stem + "_evaluation")
    else:
        run = Run.open(path)
        experiment, out = run.experiment(), run.evaluation
        data = experiment.data
        if target.data not in (None, data.source):
            data = DataConfig(target.data, labels=bool(experiment.model.classes))
    if target.fit is not None:
        data = dataclasses.replace(data, fit=target.fit)
    out = out if target.out is None else pathlib.Path(target.out)
    return Subject(path, data, experiment, out, target.average, model)


def _plain(value):
    """What JSON can hold: NumPy's numbers as Python's, what is not finite as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
