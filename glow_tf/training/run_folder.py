"""The run folder at the start of training: a new one, or one that the same experiment may resume."""

import dataclasses
import pathlib

from glow_tf import presets
from glow_tf.errors import ConfigError
from glow_tf.runs import Run

FIELDS_THAT_MAY_CHANGE_ON_RESUME = ("training.epochs", "training.patience", "model.recompute", "data.split_record")
"""Experiment fields that may change on resume (all `RunOptions` may); the record of the split is the run's own."""


def open_run_folder(path, experiment):
    """Return the `Run` of a folder that is absent, empty, or holds a run of the experiment; nothing is written.

    Args:
        path: path of the folder; None: runs/NAME, by the experiment's name.
        experiment: an `Experiment`.

    Raises:
        ConfigError: the folder holds a run of another configuration, or something else.
    """
    run = Run(pathlib.Path(path or f"runs/{experiment.name}"))
    if run.config_path.is_file():
        differences = presets.differences(run.experiment(), experiment, FIELDS_THAT_MAY_CHANGE_ON_RESUME)
        if differences:
            raise ConfigError(
                f"{run.path} holds a run of another configuration; the difference: {'; '.join(differences)}. "
                "Give another --run-dir, or the same options."
            )
    elif run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise ConfigError(f"{run.path} exists and is not a run folder; give another --run-dir.")
    return run


def with_split_record(experiment, record):
    """Return an experiment with the `SplitRecord` of a run."""
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, split_record=record))
