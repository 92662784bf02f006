"""What is evaluated: a run folder, or a model in a `.keras` file."""

import dataclasses
import functools
import json
import pathlib

from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline
from glow_tf.errors import GlowError
from glow_tf.runs import Run, load_keras, load_model, write_atomically


class EvaluationError(GlowError):
    """Something that cannot be evaluated as asked; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A trained model with its data.

    Args:
        path: run folder or `.keras` file.
        data: where its images come from.
        experiment: of a run folder, else None.
        out: folder of what is written.
        averaged: whether `model` has the averaged weights.
    """

    path: pathlib.Path
    data: DataConfig
    experiment: object
    out: pathlib.Path
    averaged: bool = False

    @functools.cached_property
    def model(self):
        """The `Glow`."""
        return self.load(self.averaged)

    def load(self, averaged):
        """The `Glow` with its raw or its averaged weights; a `.keras` file holds only one of them."""
        return load_model(self.path, averaged)

    @functools.cached_property
    def source(self):
        """The `Source` of the images."""
        return open_source(self.data, self.model.image_shape)

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
        """Writes `values` beside the pictures and returns the path."""
        path = self.out / name
        write_atomically(path, lambda p: p.write_text(json.dumps(values, indent=2) + "\n"))
        return path


def open_subject(path, data=None, averaged=False):
    """The `Subject` at a path.

    Args:
        path: a run folder, or a `.keras` file, which needs `data`.
        data: a source such as "bundled:digits" instead of the one the model was trained on.
        averaged: evaluate the averaged weights.
    """
    path = pathlib.Path(path)
    if path.suffix == ".keras":
        if data is None:
            raise EvaluationError(f"{path} does not say what it was trained on; give --data, such as bundled:digits.")
        out = path.with_name(path.stem + "_evaluation")
        return Subject(path, _data(data, load_keras(path).config), None, out, averaged)
    run = Run.open(path)
    experiment = run.experiment()
    config = experiment.data if data is None else _data(data, experiment.model)
    return Subject(path, config, experiment, run.pictures, averaged)


def _data(source, model):
    """Another source for a model: resized to its images."""
    return DataConfig(source, fit="resize", labels=bool(model.classes))
