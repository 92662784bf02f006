"""The run folder: what it holds, how it is read.

| | |
|---|---|
| `config.json` | the experiment, with a format number |
| `metrics.csv` | one row per epoch |
| `weights/last.weights.h5`, `weights/best.weights.h5` | raw weights, of the last and of the best epoch |
| `weights/last_average.weights.h5`, `weights/best_average.weights.h5` | the moving average of each |
| `checkpoints/` | training state, to go on from |
| `pictures/` | what training draws: learning curve, samples |
| `evaluation/` | what `evaluate.py` writes, and nothing else does |

Names in it are a file format.
"""

import dataclasses
import json
import os
import pathlib

import numpy as np

from glow_tf.config import ConfigError, Experiment
from glow_tf.errors import GlowError

FORMAT = 1


class RunError(GlowError):
    """A run folder that cannot be used; the message says why and what to do."""


def write_atomically(path, write):
    """Calls `write(temporary path)` beside `path`, then moves the result into place; a `RunError` if it cannot."""
    path = pathlib.Path(path)
    # Keras insists on the ending, so the mark goes in front.
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error}. Free some space or choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


def save_array(path, array):
    """Writes a NumPy array as a `.npy` file."""

    def write(temporary):
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder."""

    path: pathlib.Path

    @classmethod
    def create(cls, path, experiment):
        """Makes the folder and writes its configuration."""
        run = cls(pathlib.Path(path))
        run.write_config(experiment)
        return run

    @classmethod
    def open(cls, path):
        """An existing run folder, or a `RunError`."""
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

    def weights_path(self, which="best", average=False):
        """Weights file; `which` is `"best"` or `"last"`."""
        return self.path / "weights" / f"{which}{'_average' if average else ''}.weights.h5"

    @property
    def has_average(self):
        """Whether averaged weights lie beside the raw ones."""
        return any(self.weights_path(which, average=True).is_file() for which in ("best", "last"))

    def write_config(self, experiment):
        text = json.dumps({"format": FORMAT, **experiment.to_dict()}, indent=2) + "\n"
        write_atomically(self.config_path, lambda p: p.write_text(text))

    def experiment(self):
        """The configuration, as an `Experiment`."""
        try:
            values = json.loads(self.config_path.read_text())
            form = values.pop("format")
            if form > FORMAT:
                raise RunError(f"{self.config_path} has format {form}, this glow_tf reads up to {FORMAT}; update it.")
            return Experiment.from_dict(values)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ConfigError, OSError) as error:
            raise RunError(f"{self.config_path} cannot be read as a configuration: {error}") from error

    def model(self, which="best", average=False):
        """The trained model, a `Glow`; falls back from best to last where no epoch was validated yet."""
        from glow_tf.model import Glow  # here, so that reading a configuration needs no TensorFlow

        experiment = self.experiment()
        path = self.weights_path(which, average)
        if not path.is_file() and which == "best":
            path = self.weights_path("last", average)
        if average and not self.has_average and self.weights_path("last").is_file():
            raise RunError(f"{self.path} holds raw weights alone, and no averaged ones; leave --average out.")
        if not path.is_file():
            raise RunError(f"{self.path} holds no weights yet (expected {path.name}); train it first.")
        model = Glow(experiment.model)
        try:
            model.load_weights(path)
        except Exception as error:  # h5py and Keras raise many kinds for a damaged or foreign file
            raise RunError(f"{path} does not hold this configuration's weights: {error}") from error
        return model


def load_keras(path):
    """A `Glow` from a `.keras` file, or a `RunError`."""
    import keras

    from glow_tf.model import Glow

    if not pathlib.Path(path).is_file():
        raise RunError(f"{path}: no such file.")
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds for a damaged or foreign file
        raise RunError(f"{path} cannot be read as a Keras model: {str(error).splitlines()[0]}") from error
    if not isinstance(model, Glow):
        raise RunError(f"{path} holds a {type(model).__name__}, expected a Glow.")
    return model


def load_model(path, average=False):
    """The `Glow` of a run folder, or of a `.keras` file, which holds one set of weights only."""
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        return Run.open(path).model(average=average)
    if average:
        raise RunError(f"{path} holds one set of weights; only a run folder has averaged ones beside.")
    return load_keras(path)
