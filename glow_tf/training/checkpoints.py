"""Checkpoints of the training state: everything that an exact resume needs."""

from __future__ import annotations

import os
import pathlib
import warnings
from typing import TYPE_CHECKING

import tensorflow as tf

from glow_tf.errors import RunError
from glow_tf.io import describe_error
from glow_tf.layers.loading import require_finite
from glow_tf.training.checkpoint_files import (
    STATE_FILE,
    correct_list,
    listed_steps,
    move_checkpoint_aside,
    read_index,
    remove_checkpoint,
    remove_temporary_files,
    steps_of_files,
)

if TYPE_CHECKING:
    from glow_tf.model import Glow
    from glow_tf.training.ema import ExponentialMovingAverage
    from glow_tf.training.optimizers import GlowOptimizer
    from glow_tf.training.step import Counters

READ_ERRORS = (RunError, tf.errors.OpError, AssertionError, ValueError, RuntimeError, IndexError)
"""Errors from a checkpoint that is damaged or of another model, or whose weights are not finite."""

UNAVAILABLE_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.PermissionDeniedError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.UnknownError,  # an error of the disk (EIO)
)
"""Errors of TensorFlow from a checkpoint that may be good, and cannot be read now."""


class Checkpoints:
    """The latest checkpoints of the training state in a run folder.

    The checkpoints in a folder are known by their own files, `ckpt-STEP.index`; TensorFlow's list of them is written
    for other programs, and never relied on. TensorFlow writes a checkpoint under a temporary name first, so a kill
    during the write leaves the previous one. Data is checksummed: a damaged checkpoint is noticed when it is read.

    Args:
        directory: path of the folder.
        model, optimizer, ema, counters: trackables that are saved: weights, slots, shadows and counts.
        keep: the number of latest checkpoints that are kept.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        model: Glow,
        optimizer: GlowOptimizer,
        ema: ExponentialMovingAverage,
        counters: Counters,
        keep: int = 3,
    ) -> None:
        self.directory, self.keep = pathlib.Path(directory), keep
        self.model, self.optimizer, self.ema = model, optimizer, ema
        # The keywords are paths in the files, `average` among them: a file format.
        self.checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, average=ema, counters=counters)
        self.step = counters.step
        self._manager = None
        self._damaged: list[int] = []
        """Steps of the checkpoints that `restore` left out."""

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints in the folder, ascending."""
        return sorted(steps_of_files(self.directory, "index"))

    def save(self) -> None:
        """Write a checkpoint of the present step.

        Raises:
            RunError: the disk does not take it.
        """
        step, steps_before = int(self.step.numpy()), self.steps()
        try:
            if self._manager is None:
                correct_list(self.directory)  # which the manager goes by
                self._manager = tf.train.CheckpointManager(self.checkpoint, str(self.directory), max_to_keep=self.keep)
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            self.remove_leftovers()
            # An older one is removed only after this one was written whole; otherwise this one may be half of one.
            if step not in steps_before and set(steps_before) <= set(self.steps()):
                remove_checkpoint(self.directory, step)
            steps = self.steps()
            raise RunError(
                f"cannot write a checkpoint to {self.directory}: {describe_error(error)}. "
                f"The last good one is {f'ckpt-{steps[-1]}' if steps else 'none'}; free some space and run "
                "the same command again."
            ) from error

    def restore(self) -> int | None:
        """Restore the newest readable checkpoint, with a warning for each damaged one.

        Returns:
            The step of the checkpoint, or None if there is none.

        Raises:
            RunError: there are checkpoints, and none can be read.
        """
        self._damaged = []
        files, listed = steps_of_files(self.directory, r"(index|data-.*)"), listed_steps(self.directory)
        if files and not files & listed:
            warnings.warn(
                f"{self.directory / STATE_FILE} is missing or damaged; the checkpoints beside it are used", stacklevel=2
            )
        steps = sorted(files | listed)  # if one has lost a file, its loss is noticed
        for step in reversed(steps):
            try:
                read_index(self.directory, step)
                self.checkpoint.restore(self._prefix(step)).assert_existing_objects_matched()
                self._check_finite()
                return int(self.step.numpy())
            except tf.errors.ResourceExhaustedError:  # of memory
                raise
            except (OSError, *UNAVAILABLE_ERRORS) as error:
                raise RunError(
                    f"cannot read checkpoint {self._prefix(step)} now: {describe_error(error)}. Run the same command "
                    "again when it can be read; if it never can, move its files away, and an earlier one is used."
                ) from error
            except READ_ERRORS as error:
                reason = describe_error(error)
                self._damaged.append(step)
                warnings.warn(f"checkpoint {self._prefix(step)} is damaged and left out ({reason})", stacklevel=2)
        if steps:
            raise RunError(
                f"none of the checkpoints in {self.directory} ({len(steps)}) can be read: they are damaged or not "
                "finite, or of another model. Give another --run-dir; the weights of this one can still be evaluated."
            )
        return None

    def _check_finite(self) -> None:
        """Raise a `RunError` that names the first weight, slot or shadow which is not finite."""
        variables = [(v.path, v.value) for v in (*self.model.weights, *self.optimizer.variables)]
        names = (f"EMA of {v.path}" for v in self.model.trainable_variables)
        variables += zip(names, self.ema.shadows, strict=True)
        # The device looks for one; only those with a bad value are copied to the host.
        bad = [(n, v) for n, v in variables if v.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(v))]
        require_finite((name, v.numpy()) for name, v in bad)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a write that a kill or a full disk interrupted."""
        remove_temporary_files(self.directory)

    def move_damaged_aside(self) -> None:
        """Rename the checkpoints that `restore` left out, with a warning: training writes their steps again.

        The next start would try them first, though metrics and best weights are of the new course.
        """
        for step in self._damaged:
            move_checkpoint_aside(self.directory, step)
        self._damaged = []

    def _prefix(self, step: int) -> str:
        return str(self.directory / f"ckpt-{step}")
