"""Checkpoints of the training state: everything that an exact resume needs."""

import contextlib
import pathlib
import shutil
import warnings

import tensorflow as tf

from glow_tf.errors import RunError

MAX_REASON_LENGTH = 300
"""Characters of an error of TensorFlow's that a message quotes."""


class Checkpoints:
    """The latest checkpoints of the training state in a run folder.

    TensorFlow writes a checkpoint under a temporary name and then points the file `checkpoint` to it, so a kill
    during the write leaves the previous one. Data is checksummed: a damaged checkpoint is noticed when it is read.

    Args:
        directory: path of the folder.
        model, optimizer, ema, counters: trackables that are saved: weights, slots, shadows and counts.
        keep: int, the number of latest checkpoints that are kept.
    """

    def __init__(self, directory, *, model, optimizer, ema, counters, keep=3):
        self.directory = pathlib.Path(directory)
        # The keywords are paths in the files, `average` among them: a file format.
        self.checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, average=ema, counters=counters)
        self.step = counters.step
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(self.directory), max_to_keep=keep)

    def save(self):
        """Write a checkpoint of the present step.

        Raises:
            RunError: the disk does not take it.
        """
        try:
            self.manager.save(checkpoint_number=int(self.step.numpy()))
        except (tf.errors.OpError, OSError) as error:
            self.remove_leftovers()
            latest = self.manager.latest_checkpoint
            raise RunError(
                f"cannot write a checkpoint to {self.directory}: {_first_line(error)} "
                f"The last good one is {pathlib.Path(latest).name if latest else 'none'}; free some space and run "
                "the same command again."
            ) from error

    def restore(self):
        """Restore the newest readable checkpoint, with a warning for each damaged one.

        Returns:
            The step of the checkpoint, or None where there is none.

        Raises:
            RunError: there are checkpoints, and none can be read.
        """
        paths = list(reversed(self.manager.checkpoints))
        for path in paths:
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
                return int(self.step.numpy())
            except (tf.errors.OpError, AssertionError, ValueError, OSError, RuntimeError, IndexError) as error:
                warnings.warn(f"checkpoint {path} is damaged and left out ({_first_line(error)})", stacklevel=2)
        if paths:
            raise RunError(
                f"none of the {len(paths)} checkpoints in {self.directory} can be read; "
                "start again with another --run-dir, or remove the folder."
            )
        return None

    def remove_leftovers(self):
        """Remove the temporary files of a write that a kill or a full disk interrupted."""
        for path in self.directory.glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.directory.glob("*.tempstate*"):
            with contextlib.suppress(OSError):
                path.unlink()


def _first_line(error):
    return str(error).strip().split("\n")[0][:MAX_REASON_LENGTH]
