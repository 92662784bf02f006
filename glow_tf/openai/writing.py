"""A run folder from the original's weights."""

import contextlib
import os
import pathlib
import shutil

from glow_tf.openai.errors import OpenaiError
from glow_tf.runs import Run
from glow_tf.training.state import TrainingState


def write_run(original, path, experiment):
    """Writes a run folder that everything here takes, and from which training goes on.

    Raw weights become `last` and `best`, averages the same with `_average`. The training state holds the
    optimizer's slots and steps where the file has them, else a fresh optimizer at step 0.

    Args:
        original: an `Original`.
        path: of the folder; must not exist, or be empty.
        experiment: its configuration, with the original's `model.config`.
    """
    with _new_folder(pathlib.Path(path)) as folder:
        run = Run.create(folder, experiment)
        original.load_weights()
        state = TrainingState(experiment, run, model=original.model)
        if original.has_averages:
            original.load_averages()
            state.average.reset()
            original.load_weights()
        if original.has_slots:
            _load_slots(original, state)
        for which in ("last", "best"):
            state.save_weights(which, averages=(False, True) if original.has_averages else (False,))
        state.save_checkpoint()


def _load_slots(original, state):
    variables, optimizer = state.model.trainable_variables, state.optimizer
    index = {id(v): i for i, v in enumerate(variables)}
    for name, first, second in original.slots():
        i = index[id(original.names[name])]
        optimizer.first_moments[i].assign(first)
        optimizer.second_moments[i].assign(second)
    optimizer.iterations.assign(original.steps())
    state.counters.step.assign(original.steps())


@contextlib.contextmanager
def _new_folder(path):
    """A temporary folder beside `path` that becomes `path` if all goes well, and else is removed."""
    check_free(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OpenaiError(f"cannot write {path}: {error}. Free some space or choose another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_free(path):
    """Raises an `OpenaiError` unless `path` is free for a new run folder."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise OpenaiError(f"{path} exists already; give another folder for the run.")
