"""Write a checkpoint of the original code as a run folder."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from glow_tf import folders
from glow_tf.config import Experiment
from glow_tf.convert.openai_glow.checkpoint import OpenAIGlowCheckpoint
from glow_tf.errors import ConversionError, RunError
from glow_tf.io import cannot_write, check_not_current, temporary_path
from glow_tf.runs import MetricsTable, Run
from glow_tf.training.state import TrainingState


def write_run(checkpoint: OpenAIGlowCheckpoint, path: pathlib.Path | str, experiment: Experiment) -> None:
    """Write a run folder like one of training, which can be resumed.

    Raw weights become `last` and `best`, EMA weights the same with `_average`. The training state holds the optimizer's
    slots and steps if the file has them, else a fresh optimizer at step 0.

    Args:
        checkpoint: the checkpoint to write.
        path: path of the folder; must not exist, or be empty.
        experiment: the experiment of the run, with the `config` of the checkpoint's model.

    Raises:
        ConversionError: the folder cannot be written, or values in the file are damaged or not finite.
    """
    with _new_folder(pathlib.Path(path)) as folder:
        run = Run.create(folder, experiment)
        checkpoint.load_weights()
        state = TrainingState(experiment, run, model=checkpoint.model)
        if checkpoint.has_ema:
            checkpoint.load_ema()
            state.ema.reset()
            checkpoint.load_weights()
        if checkpoint.has_slots:
            _load_slots(checkpoint, state)
        for which in ("last", "best"):
            state.save_weights(which, ema_values=(False, True) if checkpoint.has_ema else (False,))
        MetricsTable(run.metrics_path).begin()
        state.save_checkpoint()


def _load_slots(checkpoint: OpenAIGlowCheckpoint, state: TrainingState) -> None:
    """Set the optimizer's moments and the step counters to those of the checkpoint."""
    variables, optimizer = state.model.trainable_variables, state.optimizer
    index = {id(variable): i for i, variable in enumerate(variables)}
    for name, first_moment, second_moment in checkpoint.slots():
        i = index[id(checkpoint.names[name])]
        optimizer.first_moments[i].assign(first_moment)
        optimizer.second_moments[i].assign(second_moment)
    # Type checkers infer a tensor of another backend of Keras, or None.
    optimizer.iterations.assign(checkpoint.steps())  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    state.counters.step.assign(checkpoint.steps())


@contextlib.contextmanager
def _new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield the path of a temporary folder that becomes `path` if the block succeeds, and is removed if it fails."""
    path = check_free(path)
    temporary = temporary_path(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise ConversionError(str(cannot_write(path, error))) from error
    except RunError as error:  # of a file in the temporary folder
        raise ConversionError(str(error).replace(str(temporary), str(path))) from error
    finally:
        folders.remove(temporary)


def check_free(path: pathlib.Path | str) -> pathlib.Path:
    """Return `path`, after a check that it is free for a new run folder and can be written.

    Args:
        path: path of the folder.

    Raises:
        ConversionError: there is something, it cannot be written, or TensorFlow takes the path for a pattern.
        RunError: `path` is the current folder.
    """
    check_not_current(pathlib.Path(path))
    try:
        path = folders.prepare_folder(path)
    except RunError as error:
        raise ConversionError(str(error)) from error
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise ConversionError(f"{path} exists already; give another folder for the run.")
    return path
