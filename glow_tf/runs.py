"""Read the models of run folders and `.keras` files; `run_files.py` describes the folder."""

import dataclasses
import os
import pathlib

from glow_tf.metrics_table import MetricsTable as MetricsTable
from glow_tf.model import Glow
from glow_tf.model_files import is_keras_file as is_keras_file
from glow_tf.model_files import load_keras_file, load_weights_file
from glow_tf.run_files import EMA_SUFFIX as EMA_SUFFIX
from glow_tf.run_files import RunFiles, Which, renamed_average, require_raw


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
            which: `"best"`, which falls back to the last weights if no epoch has been validated yet, or `"last"`.
            ema: load the EMA weights instead of the raw ones.
            average: old name of `ema`.

        Raises:
            RunError: the weights are missing or damaged.
        """
        ema = renamed_average("Run.model", average, ema)
        path = self.weights_to_load(which, ema)
        model = Glow(self.experiment().model)
        load_weights_file(model, path)
        return model


def load_keras(path: str | os.PathLike[str]) -> Glow:
    """Return the model of a `.keras` file.

    Raises:
        RunError: the file is missing or damaged, or holds another model.
    """
    return load_keras_file(path, Glow)


def load_model(path: str | os.PathLike[str], ema: bool = False, *, average: bool | None = None) -> Glow:
    """Return the model of a run folder or of a `.keras` file.

    Args:
        path: path of the file, or of the run folder, whose best weights are loaded.
        ema: load the EMA weights instead of the raw ones; only a run folder has both.
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
    path = pathlib.Path(os.path.expanduser(path))
    if not is_keras_file(path):
        return Run.open(path).model(ema=ema)
    require_raw(path, ema)
    return load_keras(path)
