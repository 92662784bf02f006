"""The files of checkpoints in a folder: `ckpt-STEP.index`, `ckpt-STEP.data-*`, and TensorFlow's list `checkpoint`."""

import contextlib
import os
import pathlib
import re
import shutil
import warnings
from collections.abc import Iterable

from glow_tf.io import cannot_write, write_text

STATE_FILE = "checkpoint"
"""TensorFlow's list of the checkpoints in a folder."""


def steps_of_files(directory: pathlib.Path, ending: str) -> set[int]:
    """Return the set of steps of the files `ckpt-STEP.ENDING`, where ENDING matches a regular expression."""
    matches = (re.fullmatch(rf"ckpt-(\d+)\.{ending}", path.name) for path in directory.glob("ckpt-*"))
    return {int(match[1]) for match in matches if match}


def listed_steps(directory: pathlib.Path) -> set[int]:
    """Return the set of steps in TensorFlow's list of checkpoints; it is empty if the list is not there."""
    try:
        return {int(step) for step in re.findall(rb"\"ckpt-(\d+)\"", (directory / STATE_FILE).read_bytes())}
    except OSError:
        return set()


def read_index(directory: pathlib.Path, step: int) -> None:
    """Read the index of a checkpoint to its end, as TensorFlow takes every error of the disk in it for damage.

    Raises:
        OSError: the index is there and cannot be read now.
    """
    with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):  # lost, as TensorFlow will say
        (directory / f"ckpt-{step}.index").read_bytes()


def correct_list(directory: pathlib.Path) -> None:
    """Write TensorFlow's list of the checkpoints anew, unless it names those that are there."""
    steps = sorted(steps_of_files(directory, "index"))
    if not steps:
        (directory / STATE_FILE).unlink(missing_ok=True)
    elif listed_steps(directory) != set(steps):
        lines = [f'model_checkpoint_path: "ckpt-{steps[-1]}"']
        lines += [f'all_model_checkpoint_paths: "ckpt-{step}"' for step in steps]
        # The times give the order; a checkpoint without one would be kept for ever.
        lines += [f"all_model_checkpoint_timestamps: {i + 1}.0" for i in range(len(steps))]
        write_text(directory / STATE_FILE, "\n".join([*lines, "last_preserved_timestamp: 0.0", ""]))


def remove_temporary_files(directory: pathlib.Path) -> None:
    """Remove the temporary files of a write that a kill or a full disk interrupted."""
    for path in directory.glob("*_temp"):
        shutil.rmtree(path, ignore_errors=True)
    for pattern in ("*.tempstate*", f"{STATE_FILE}.tmp*"):
        _remove(directory.glob(pattern))


def remove_checkpoint(directory: pathlib.Path, step: int) -> None:
    """Remove the files of a checkpoint, as far as that is possible."""
    _remove(directory.glob(f"ckpt-{step}.*"))


def move_checkpoint_aside(directory: pathlib.Path, step: int) -> None:
    """Rename the files of a damaged checkpoint to `damaged-ckpt-STEP.*`, with a warning.

    Raises:
        RunError: that is not possible.
    """
    paths = list(directory.glob(f"ckpt-{step}.*"))
    for path in paths:
        aside = path.with_name(f"damaged-{path.name}")
        try:
            os.replace(path, aside)
        except OSError as error:
            raise cannot_write(aside, error) from error
    if paths:
        warnings.warn(f"the damaged checkpoint {directory / f'ckpt-{step}'} is now damaged-ckpt-{step}", stacklevel=2)


def _remove(paths: Iterable[pathlib.Path]) -> None:
    for path in list(paths):
        with contextlib.suppress(OSError):
            path.unlink()
