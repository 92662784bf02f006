"""The run folder: a file format, how it is written and read. `docs/guides/training.md` lists its files."""

import dataclasses
import os
import pathlib
import warnings
from typing import Literal, Self, TypeAlias

from glow_tf.cli import start
from glow_tf.config import Experiment
from glow_tf.deprecation import warn_renamed
from glow_tf.errors import ConfigError, RunError
from glow_tf.experiment_file import read_experiment, write_experiment

EMA_SUFFIX = "_average"
"""Suffix of the weights files and of the columns of `metrics.csv` that belong to the EMA weights."""

Which: TypeAlias = Literal["best", "last"]
"""The epoch of weights: the one of the best validation, or the last one."""


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files of a run folder; `glow_tf.Run` also reads its models.

    Args:
        path: path of the folder, which need not exist; `~` is the home folder.
    """

    path: pathlib.Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", pathlib.Path(os.path.expanduser(self.path)))

    @classmethod
    def create(cls, path: str | os.PathLike[str], experiment: Experiment) -> Self:
        """Make the folder and write its configuration; return the run.

        Raises:
            RunError: the folder holds a run of another configuration, or cannot be written.
        """
        run = cls(pathlib.Path(path))
        if run.exists and run.experiment() != experiment:
            raise RunError(f"{run.path} holds a run of another configuration, which would be lost; give another path.")
        run.write_config(experiment)
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Return the run of an existing folder.

        Raises:
            RunError: the path is not that of a run folder.
        """
        run = cls(pathlib.Path(path))
        if not run.exists:
            raise RunError(
                f"{run.path} is not a run folder (no {run.config_path.name} in it); {start.spell('train')} makes one."
            )
        return run

    @property
    def config_path(self) -> pathlib.Path:
        """Return the path of `config.json`."""
        return self.path / "config.json"

    @property
    def exists(self) -> bool:
        """Return whether the folder has a configuration; a path that the system does not take has none."""
        return os.path.isfile(self.config_path)

    @property
    def metrics_path(self) -> pathlib.Path:
        """Return the path of `metrics.csv`."""
        return self.path / "metrics.csv"

    @property
    def weights(self) -> pathlib.Path:
        """Return the path of the folder of weights files."""
        return self.path / "weights"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Return the path of the folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def pictures(self) -> pathlib.Path:
        """Return the path of the folder of figures of the training."""
        return self.path / "pictures"

    @property
    def evaluation(self) -> pathlib.Path:
        """Return the path of the folder that `evaluate.py` writes."""
        return self.path / "evaluation"

    def weights_path(self, which: Which = "best", ema: bool = False, *, average: bool | None = None) -> pathlib.Path:
        """Return the path of a weights file.

        Args:
            which: `"best"` or `"last"`.
            ema: EMA weights instead of raw ones.
            average: old name of `ema`.

        Raises:
            ConfigError: `which` is something else.
        """
        ema = renamed_average("Run.weights_path", average, ema)
        if which not in ("best", "last"):
            raise ConfigError(f"which: expected best or last, got {which!r}.")
        return self.weights / f"{which}{EMA_SUFFIX if ema else ''}.weights.h5"

    @property
    def results(self) -> list[pathlib.Path]:
        """Return the paths of the results of training in the folder: weights files and `metrics.csv`."""
        return [path for path in (*sorted(self.weights.glob("*.weights.h5")), self.metrics_path) if path.is_file()]

    @property
    def has_ema(self) -> bool:
        """Return whether the folder holds EMA weights."""
        return any(self.weights_path(which, ema=True).is_file() for which in ("best", "last"))

    def weights_to_load(self, which: Which = "best", ema: bool = False) -> pathlib.Path:
        """Return the path of the weights file to load.

        Args:
            which: `"best"`, which falls back to the last weights where no epoch was validated yet, or `"last"`.
            ema: EMA weights instead of raw ones.

        Raises:
            RunError: there are no such weights.
        """
        path = self.weights_path(which, ema)
        if not path.is_file() and which == "best":
            path = self.weights_path("last", ema)
            if path.is_file():
                warnings.warn(f"{self.weights_path(which, ema)} is missing; {path.name} is taken", stacklevel=3)
        if not self.has_ema and self.weights_path("last").is_file():
            require_raw(self.path, ema)
        if not path.is_file():
            raise RunError(f"{self.path} holds no weights yet (expected {path.name}); train it first.")
        return path

    @property
    def has_average(self) -> bool:
        """Return `has_ema`, of which this is the old name."""
        warn_renamed("Run.has_average", "Run.has_ema")
        return self.has_ema

    def write_config(self, experiment: Experiment) -> None:
        """Write the configuration."""
        write_experiment(self.config_path, experiment)

    def experiment(self) -> Experiment:
        """Return the configuration; warn if the file is not as it was written.

        Raises:
            RunError: `config.json` is damaged, or of a later format.
        """
        return read_experiment(self.config_path)


def require_raw(path: str | os.PathLike[str], ema: bool) -> None:
    """Raise a `RunError` if EMA weights are requested of what holds one set of weights only.

    Args:
        path: path of a file or of a run folder, or name of a preset.
        ema: EMA weights are requested.
    """
    if ema:
        raise RunError(f"{path} holds one set of weights, and no EMA weights besides; leave the option ema out.")


def renamed_average(function: str, average: bool | None, ema: bool) -> bool:
    """Return `ema`, or with a warning the value of its old name `average` if that is not None."""
    if average is None:
        return ema
    warn_renamed(f"{function}(average=...)", f"{function}(ema=...)", stacklevel=4)
    return average
