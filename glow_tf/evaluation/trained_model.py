"""A trained model with its data: the weights, the source and batches of the images, and the folder of the results."""

import dataclasses
import functools
import json
import logging
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.config import NO_SOURCE, DataConfig, Experiment
from glow_tf.counts import counted
from glow_tf.data import open_source, pipeline
from glow_tf.data.source import Source
from glow_tf.data.splits import spread_positions
from glow_tf.errors import DataError
from glow_tf.evaluation.moved_data import may_be_moved, warn_of_other_splits
from glow_tf.io import write_text
from glow_tf.model import Glow
from glow_tf.runs import Run, load_model
from glow_tf.training.old_splits import check_old_split
from glow_tf.types import Images

logger = logging.getLogger(__name__)


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
            DataError: it cannot be opened, or its number of classes is not that of a conditional model.
        """
        run_data = self.experiment and self.experiment.data
        is_that_of_the_run = run_data is not None and self.data.source == run_data.source
        try:
            source = open_source(self.data, self.model.image_shape, **self.cache_options)
        except DataError as error:
            if not is_that_of_the_run or self.data.source == NO_SOURCE:
                raise
            raise DataError(f"{error} The run was configured with this source; --data names another.") from error
        classes = self.model.config.classes
        if classes and source.classes != classes:
            raise DataError(
                f"{source.name} has {counted(source.classes, 'class', 'classes')}, the model is conditional on "
                f"{classes}; give a source whose labels are those."
            )
        if run_data is not None and is_that_of_the_run:
            check_old_split(Run(self.path), run_data, source)
        elif run_data is not None and may_be_moved(run_data, self.data.source):
            warn_of_other_splits(run_data, source)
        if source.credits:
            logger.info(source.credits)
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
            return f"{counted(count, 'test image')} (on which the weights were selected, as the paper did)"
        if np.array_equal(rows["test"], rows["validation"]):
            return f"{counted(count, 'validation image')} (there is no test split)"
        return counted(count, "test image")

    def batches(
        self, split: str = "test", *, batch_size: int = 128, draw: int = 0, limit: int | None = None
    ) -> tf.data.Dataset:
        """Return evaluation batches of a split (see `glow_tf.data.pipeline`), or of `limit` images spread over it."""
        return pipeline.evaluation_batches(
            self.source,
            split,
            self.data,
            image_shape=self.model.image_shape,
            batch_size=batch_size,
            seed=0,
            draw=draw,
            rows=self._spread_rows(split, limit),
        )

    def arrays(self, split: str = "test", limit: int | None = None) -> tuple[Images, np.ndarray, np.ndarray]:
        """Return `(images, labels, attributes)` of the first `limit` images of a split as NumPy arrays."""
        return pipeline.arrays(self.source, split, self.data, self.model.image_shape, limit)

    def spread_arrays(self, split: str, limit: int) -> tuple[Images, np.ndarray, np.ndarray]:
        """Return what `arrays` does, of at most `limit` images that are spread evenly over a split."""
        rows = self._spread_rows(split, limit)
        return pipeline.arrays(self.source, split, self.data, self.model.image_shape, rows=rows)

    def _spread_rows(self, split: str, limit: int | None) -> np.ndarray:
        """Return the records of a split, or `limit` of them that are spread evenly: it may be sorted by class."""
        rows = self.source.rows_of(split)
        return rows if limit is None else rows[spread_positions(len(rows), limit)]

    def model_labels(self, labels: Any) -> Any:
        """Return the labels for a conditional model, None for an unconditional one."""
        return labels if self.model.config.classes else None

    def write_json(self, name: str, values: Mapping[str, Any]) -> pathlib.Path:
        """Write values with the path, source and weights that they belong to; return the path of the file."""
        path = self.out / name
        values = {"path": str(self.path), "source": self.data.source, "weights": self.weights_name, **values}
        write_text(path, json.dumps(_to_plain(values), indent=2, allow_nan=False) + "\n")
        return path


def _to_plain(value: Any) -> Any:
    """Convert a value to what JSON can hold: NumPy's numbers to Python's, non-finite ones to null."""
    if isinstance(value, dict):
        return {str(k): _to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_to_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
