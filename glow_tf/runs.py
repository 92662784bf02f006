"""The run folder: a file format, how it is written and read.

| | |
|---|---|
| `config.json` | the experiment, with a format number |
| `metrics.csv` | one row per epoch |
| `weights/last.weights.h5`, `weights/best.weights.h5` | raw weights, of the last and of the best epoch |
| `weights/last_average.weights.h5`, `weights/best_average.weights.h5` | EMA weights of each |
| `checkpoints/` | training state, to resume from |
| `pictures/` | figures of the training: learning curve, samples |
| `evaluation/` | output of `evaluate.py`, which writes nothing else |
"""

import csv
import dataclasses
import io
import json
import pathlib

import keras

from glow_tf.config import Experiment
from glow_tf.deprecation import warn_renamed
from glow_tf.errors import ConfigError, RunError
from glow_tf.io import write_text
from glow_tf.layers.loading import loading_problem
from glow_tf.model import Glow

FORMAT = 2
"""Number of the format of run folders, in `config.json`; 2 has the record of the split of the data."""

EMA_SUFFIX = "_average"
"""Suffix of the weights files and of the columns of `metrics.csv` that belong to the EMA weights."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder.

    Args:
        path: `pathlib.Path` of the folder, which need not exist.
    """

    path: pathlib.Path

    @classmethod
    def create(cls, path, experiment):
        """Make the folder and write its configuration; return the `Run`."""
        run = cls(pathlib.Path(path))
        run.write_config(experiment)
        return run

    @classmethod
    def open(cls, path):
        """Return the `Run` of an existing folder.

        Raises:
            RunError: it is not a run folder.
        """
        run = cls(pathlib.Path(path))
        if not run.config_path.is_file():
            raise RunError(f"{run.path} is not a run folder (no {run.config_path.name} in it); train.py makes one.")
        return run

    @property
    def config_path(self):
        return self.path / "config.json"

    @property
    def metrics_path(self):
        return self.path / "metrics.csv"

    @property
    def checkpoints(self):
        return self.path / "checkpoints"

    @property
    def pictures(self):
        return self.path / "pictures"

    @property
    def evaluation(self):
        return self.path / "evaluation"

    def weights_path(self, which="best", ema=False, *, average=None):
        """Return the path of a weights file.

        Args:
            which: `"best"` or `"last"`.
            ema: bool, EMA weights instead of raw ones.
            average: old name of `ema`.
        """
        ema = _renamed_average("Run.weights_path", average, ema)
        return self.path / "weights" / f"{which}{EMA_SUFFIX if ema else ''}.weights.h5"

    @property
    def has_ema(self):
        """True if the folder holds EMA weights."""
        return any(self.weights_path(which, ema=True).is_file() for which in ("best", "last"))

    @property
    def has_average(self):
        """`has_ema` under its old name."""
        warn_renamed("Run.has_average", "Run.has_ema")
        return self.has_ema

    def write_config(self, experiment):
        """Write the configuration, an `Experiment`."""
        text = json.dumps({"format": FORMAT, **experiment.to_dict()}, indent=2) + "\n"
        write_text(self.config_path, text)

    def experiment(self):
        """Return the configuration, an `Experiment`.

        Raises:
            RunError: `config.json` is damaged, or of a later format.
        """
        try:
            values = json.loads(self.config_path.read_text())
            run_format = values.pop("format")
            if run_format > FORMAT:
                raise RunError(
                    f"{self.config_path} has format {run_format}, this glow_tf reads up to {FORMAT}; update it."
                )
            if run_format < 2:
                values["data"]["split_record"] = {"rule": "position"}
            return Experiment.from_dict(values)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ConfigError, OSError) as error:
            raise RunError(f"{self.config_path} cannot be read as a configuration: {error}") from error

    def model(self, which="best", ema=False, *, average=None):
        """Return the trained model, a `Glow`.

        Args:
            which: `"best"`, which falls back to the last weights where no epoch was validated yet, or `"last"`.
            ema: bool, EMA weights instead of raw ones.
            average: old name of `ema`.

        Raises:
            RunError: the weights are missing or damaged.
        """
        ema = _renamed_average("Run.model", average, ema)
        experiment = self.experiment()
        path = self.weights_path(which, ema)
        if not path.is_file() and which == "best":
            path = self.weights_path("last", ema)
        if ema and not self.has_ema and self.weights_path("last").is_file():
            raise RunError(f"{self.path} holds raw weights only, no EMA weights; leave --ema out.")
        if not path.is_file():
            raise RunError(f"{self.path} holds no weights yet (expected {path.name}); train it first.")
        model = Glow(experiment.model)
        try:
            model.load_weights(path)
        except Exception as error:  # h5py and Keras raise many kinds for a damaged or foreign file
            raise RunError(f"{path} does not hold this configuration's weights: {loading_problem(error)}") from error
        return model


def load_keras(path):
    """Return the `Glow` of a `.keras` file.

    Raises:
        RunError: the file is missing or damaged, or holds another model.
    """
    if not pathlib.Path(path).is_file():
        raise RunError(f"{path}: no such file.")
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds for a damaged or foreign file
        raise RunError(f"{path} cannot be read as a Keras model: {loading_problem(error)}") from error
    if not isinstance(model, Glow):
        raise RunError(f"{path} holds a {type(model).__name__}, expected a Glow.")
    return model


def load_model(path, ema=False, *, average=None):
    """Return the `Glow` of a run folder or of a `.keras` file.

    Args:
        path: path of the run folder, whose best weights are taken, or of the file.
        ema: bool, EMA weights instead of raw ones; only a run folder has both.
        average: old name of `ema`.

    Raises:
        RunError: the model cannot be read.
    """
    ema = _renamed_average("load_model", average, ema)
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        return Run.open(path).model(ema=ema)
    if ema:
        raise RunError(f"{path} holds one set of weights; only a run folder has EMA weights besides.")
    return load_keras(path)


def _renamed_average(function, average, ema):
    """Return `ema`, or the value of its old name `average` with a warning where that is given."""
    if average is None:
        return ema
    warn_renamed(f"{function}(average=...)", f"{function}(ema=...)", stacklevel=4)
    return average


class MetricsTable:
    """The table `metrics.csv`: one row per epoch, a dictionary of column name -> number or None.

    Args:
        path: `pathlib.Path` of the file, which need not exist.
    """

    def __init__(self, path):
        self.path = path

    def rows(self):
        """Return all rows, with floats, or None for empty cells."""
        if not self.path.is_file():
            return []
        with open(self.path, newline="") as file:
            return [{name: float(text) if text else None for name, text in row.items()} for row in csv.DictReader(file)]

    def append(self, row):
        """Add a row; it may have new columns."""
        self._write([*self.rows(), row])

    def cut_back(self, step):
        """Drop the rows after a step, which training will write again."""
        rows = self.rows()
        if any(row["step"] > step for row in rows):
            self._write([row for row in rows if row["step"] <= step])

    def _write(self, rows):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _format_cell(value) for name, value in row.items()})
        write_text(self.path, text.getvalue())


def _format_cell(value):
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"
