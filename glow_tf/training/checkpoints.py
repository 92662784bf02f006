"""Checkpoints of the training state: everything that an exact resume needs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import warnings
from typing import TYPE_CHECKING

import tensorflow as tf

from glow_tf.errors import RunError
from glow_tf.io import describe_error, write_text
from glow_tf.layers.loading import require_finite

if TYPE_CHECKING:
    from glow_tf.model import Glow
    from glow_tf.training.ema import ExponentialMovingAverage
    from glow_tf.training.optimizers import GlowOptimizer
    from glow_tf.training.step import Counters

STATE_FILE = "checkpoint"
"""TensorFlow's list of the checkpoints in a folder."""

READ_ERRORS = (RunError, tf.errors.OpError, AssertionError, ValueError, OSError, RuntimeError, IndexError)
"""Errors from a checkpoint that is damaged or of another model, or whose weights are not finite."""

UNAVAILABLE_ERRORS = (tf.errors.UnavailableError, tf.errors.PermissionDeniedError)
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

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints in the folder, ascending."""
        return sorted(self._steps_of_files(r"index"))

    def save(self) -> None:
        """Write a checkpoint of the present step.

        Raises:
            RunError: the disk does not take it.
        """
        try:
            if self._manager is None:
                self._manager = self._make_manager()
            self._manager.save(checkpoint_number=int(self.step.numpy()))
        except (tf.errors.OpError, OSError) as error:
            self.remove_leftovers()
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
        files, listed = self._steps_of_files(r"(index|data-.*)"), self._listed_steps()
        if files and not files & listed:
            warnings.warn(
                f"{self.directory / STATE_FILE} is missing or damaged; the checkpoints beside it are used", stacklevel=2
            )
        steps = sorted(files | listed)  # one that has lost a file is missed
        for step in reversed(steps):
            try:
                self.checkpoint.restore(self._prefix(step)).assert_existing_objects_matched()
                self._check_finite()
                return int(self.step.numpy())
            except tf.errors.ResourceExhaustedError:  # of memory
                raise
            except UNAVAILABLE_ERRORS as error:
                raise RunError(
                    f"cannot read checkpoint {self._prefix(step)} now: {describe_error(error)}. Run the same command "
                    "again when it can be read."
                ) from error
            except READ_ERRORS as error:
                reason = describe_error(error)
                warnings.warn(f"checkpoint {self._prefix(step)} is damaged and left out ({reason})", stacklevel=2)
        if steps:
            raise RunError(
                f"none of the {len(steps)} checkpoints in {self.directory} can be read: they are damaged or not "
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
        for path in self.directory.glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for pattern in ("*.tempstate*", f"{STATE_FILE}.tmp*"):
            for path in self.directory.glob(pattern):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _prefix(self, step: int) -> str:
        return str(self.directory / f"ckpt-{step}")

    def _steps_of_files(self, ending: str) -> set[int]:
        """Return the set of steps of the files `ckpt-STEP.ENDING`, where ENDING matches a regular expression."""
        matches = (re.fullmatch(rf"ckpt-(\d+)\.{ending}", path.name) for path in self.directory.glob("ckpt-*"))
        return {int(match[1]) for match in matches if match}

    def _listed_steps(self) -> set[int]:
        """Return the set of steps in TensorFlow's list of checkpoints; it is empty if the list is not there."""
        try:
            return {int(step) for step in re.findall(rb"\"ckpt-(\d+)\"", (self.directory / STATE_FILE).read_bytes())}
        except OSError:
            return set()

    def _make_manager(self) -> tf.train.CheckpointManager:
        """Return the object that writes checkpoints and removes old ones, after writing the list that it goes by."""
        steps = self.steps()
        if steps and self._listed_steps() != set(steps):
            lines = [f'model_checkpoint_path: "ckpt-{steps[-1]}"']
            lines += [f'all_model_checkpoint_paths: "ckpt-{step}"' for step in steps]
            # The times give the order; a checkpoint without one would be kept for ever.
            lines += [f"all_model_checkpoint_timestamps: {i + 1}.0" for i in range(len(steps))]
            write_text(self.directory / STATE_FILE, "\n".join([*lines, "last_preserved_timestamp: 0.0", ""]))
        elif not steps:
            (self.directory / STATE_FILE).unlink(missing_ok=True)
        return tf.train.CheckpointManager(self.checkpoint, str(self.directory), max_to_keep=self.keep)
