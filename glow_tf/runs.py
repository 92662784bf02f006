"""Read the models of run folders and `.keras` files; `run_files.py` describes the folder."""

import dataclasses
import os
import pathlib
import warnings

import keras

from glow_tf.errors import RunError
from glow_tf.layers.loading import loading_problem
from glow_tf.metrics_table import MetricsTable as MetricsTable
from glow_tf.model import Glow
from glow_tf.run_files import EMA_SUFFIX as EMA_SUFFIX
from glow_tf.run_files import RunFiles, Which, renamed_average
from glow_tf.weights_file import FIELDS_OF_TRAINING, FIELDS_THAT_MAY_DIFFER, check_config, check_seal


@dataclasses.dataclass(frozen=True)
class Run(RunFiles):
    """A run folder, with the models in it.

    Args:
        path: path of the folder, which need not exist.

    Example:
        >>> import tempfile
        >>> from glow_tf import DataConfig, Experiment, ModelConfig, TrainingConfig
        >>> config = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run.create(folder, Experiment(config, DataConfig(), TrainingConfig()))
        ...     run.weights.mkdir()
        ...     Glow(config).save_weights(run.weights_path("last"))
        ...     model = Run.open(folder).model("last")
        >>> model.sample(2).shape
        TensorShape([2, 8, 8, 1])
    """

    def model(self, which: Which = "best", ema: bool = False, *, average: bool | None = None) -> Glow:
        """Return the trained model.

        Args:
            which: `"best"`, which falls back to the last weights where no epoch was validated yet, or `"last"`.
            ema: EMA weights instead of raw ones.
            average: old name of `ema`.

        Raises:
            RunError: the weights are missing or damaged.
        """
        ema = renamed_average("Run.model", average, ema)
        experiment = self.experiment()
        path = self.weights_path(which, ema)
        if not path.is_file() and which == "best":
            path = self.weights_path("last", ema)
            if path.is_file():
                warnings.warn(f"{self.weights_path(which, ema)} is missing; {path.name} is taken", stacklevel=2)
        if ema and not self.has_ema and self.weights_path("last").is_file():
            raise RunError(f"{self.path} holds raw weights only, no EMA weights; leave --ema out.")
        if not path.is_file():
            raise RunError(f"{self.path} holds no weights yet (expected {path.name}); train it first.")
        check_config(path, experiment.model, (*FIELDS_THAT_MAY_DIFFER, *FIELDS_OF_TRAINING))
        model = Glow(experiment.model)
        try:
            model.load_weights(path)
        except Exception as error:  # h5py and Keras raise many kinds for a damaged or foreign file
            raise RunError(f"{path} does not hold this configuration's weights: {loading_problem(error)}") from error
        return model


def is_keras_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a `.keras` file; a run folder of such a name is none."""
    path = pathlib.Path(path)
    return path.suffix == ".keras" and not path.is_dir()


def load_keras(path: str | os.PathLike[str]) -> Glow:
    """Return the model of a `.keras` file.

    Raises:
        RunError: the file is missing or damaged, or holds another model.
    """
    if not pathlib.Path(path).is_file():
        raise RunError(f"{path}: no such file.")
    try:
        check_seal(path)
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds for a damaged or foreign file
        raise RunError(f"{path} cannot be read as a Keras model: {loading_problem(error)}") from error
    if not isinstance(model, Glow):
        raise RunError(f"{path} holds a {type(model).__name__}, expected a Glow.")
    return model


def load_model(path: str | os.PathLike[str], ema: bool = False, *, average: bool | None = None) -> Glow:
    """Return the model of a run folder or of a `.keras` file.

    Args:
        path: path of the run folder, whose best weights are taken, or of the file.
        ema: EMA weights instead of raw ones; only a run folder has both.
        average: old name of `ema`.

    Raises:
        RunError: the model cannot be read.

    Example:
        >>> import tempfile
        >>> from glow_tf import ModelConfig
        >>> model = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/digits.keras")
        ...     loaded = load_model(f"{folder}/digits.keras")
        >>> loaded.sample(2).shape
        TensorShape([2, 8, 8, 1])
    """
    ema = renamed_average("load_model", average, ema)
    path = pathlib.Path(path)
    if not is_keras_file(path):
        return Run.open(path).model(ema=ema)
    if ema:
        raise RunError(f"{path} holds one set of weights; only a run folder has EMA weights besides.")
    return load_keras(path)
