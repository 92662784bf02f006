"""The run folder at the start of training: a new one, or one that the same experiment may resume."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator

from glow_tf import folders, presets
from glow_tf.config import Experiment, SplitRecord
from glow_tf.errors import ConfigError, RunError
from glow_tf.io import describe_error
from glow_tf.leftovers import is_unfinished, remove_unfinished
from glow_tf.locks import locked
from glow_tf.runs import MetricsTable, Run

FIELDS_THAT_MAY_CHANGE_ON_RESUME = (
    "training.epochs",
    "training.patience",
    "model.recompute",
    "data.on_damaged",
    "data.split_record",
)
"""Experiment fields that may change on resume; the record of the split is the run's own.

All `RunOptions` may change but `init_from` and `init_ema`.
"""

LOCK = "train.lock"
"""Name of the file that exists while a training writes into the folder (see `locks`)."""

FILES = {
    "path": ("config.json", "metrics.csv", folders.PROBE),
    "weights": ("*.weights.h5", folders.PROBE),
    "checkpoints": ("checkpoint", folders.PROBE),
    "pictures": ("*.png", folders.PROBE),
}
"""Names of the files that a training writes under temporary names, by the attribute of `Run` that is their folder.

Unfinished ones are removed at the next start. Everything else in the folder is the user's, or another command's.
"""


def open_run_folder(path: str | os.PathLike[str] | None, experiment: Experiment) -> Run:
    """Return the run of a folder that is absent, empty, or holds a run of the experiment; nothing is written.

    Args:
        path: path of the folder; None: runs/NAME, by the experiment's name.
        experiment: the experiment that is to be trained.

    Raises:
        ConfigError: the folder holds a run of another configuration, or something else.
        RunError: its path or its configuration cannot be read.
    """
    run = Run(pathlib.Path(path or f"runs/{experiment.name}"))
    folders.check_pattern_free(run.path)
    if run.exists:
        differences = presets.differences(run.experiment(), experiment, FIELDS_THAT_MAY_CHANGE_ON_RESUME)
        if differences:
            raise ConfigError(
                f"{run.path} holds a run of another configuration; the difference: {'; '.join(differences)}. "
                "Give another --run-dir, or the same options."
            )
    elif _is_foreign(run.path):
        raise ConfigError(f"{run.path} exists and is not a run folder; give another --run-dir.")
    return run


def with_split_record(experiment: Experiment, record: SplitRecord | None) -> Experiment:
    """Return an experiment with the record of the splits of a run."""
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, split_record=record))


def _is_foreign(path: pathlib.Path) -> bool:
    """Return whether there is something at a path that no start of a training left."""
    if not os.path.lexists(path):
        return False
    if not path.is_dir():
        return True
    try:
        return any(entry.name != LOCK and not is_unfinished(entry, FILES["path"]) for entry in path.iterdir())
    except OSError as error:
        raise RunError(f"cannot read {path}: {describe_error(error)}; give another --run-dir.") from error


@contextlib.contextmanager
def claimed(run: Run) -> Iterator[None]:
    """Hold a run folder as its only writer within the context.

    What killed processes left half-written in it is removed first. A folder that the context made and that has stayed
    empty is removed at the end.

    Args:
        run: the run, whose folder need not exist.

    Raises:
        RunError: the folder cannot be written, or another process trains in it.
    """
    made = not os.path.lexists(run.path)
    folders.check_writable(run.path)
    try:
        with locked(run.path / LOCK, str(run.path)):
            for folder in (run.weights, run.checkpoints, run.pictures):
                if os.path.lexists(folder):
                    folders.check_writable(folder)
            for folder, names in FILES.items():
                remove_unfinished(getattr(run, folder), names)
            MetricsTable(run.metrics_path).put_aside_if_damaged()
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty: there is a run now
                run.path.rmdir()
