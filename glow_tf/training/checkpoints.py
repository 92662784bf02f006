"""The state of training on disk: everything that an exact resume needs."""

import contextlib
import pathlib
import shutil
import warnings

import tensorflow as tf

from glow_tf.runs import RunError


class Checkpoints:
    """Checkpoints of the training state in a run folder, the last few kept.

    TensorFlow writes a checkpoint under a temporary name and then points the file `checkpoint` to it, so a kill
    while it writes leaves the one before. Data is checksummed: a damaged checkpoint is noticed when it is read.

    Args:
        directory: of the checkpoints.
        model, optimizer, average, counters: what is saved; weights, slots, shadows and counts.
        keep: how many of the latest are kept.
    """

    def __init__(self, directory, *, model, optimizer, average, counters, keep=3):
        self.directory = pathlib.Path(directory)
        self.checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, average=average, counters=counters)
        self.step = counters.step
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(self.directory), max_to_keep=keep)

    def save(self):
        """Writes a checkpoint of the present step; a `RunError` if the disk does not take it."""
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
        """Restores the newest readable checkpoint; returns its step, or None where there is none.

        A damaged one is left out with a warning; if none can be read, a `RunError`.
        """
        found = list(reversed(self.manager.checkpoints))
        for path in found:
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
                return int(self.step.numpy())
            except (tf.errors.OpError, AssertionError, ValueError, OSError, RuntimeError, IndexError) as error:
                warnings.warn(f"checkpoint {path} is damaged and left out ({_first_line(error)})", stacklevel=2)
        if found:
            raise RunError(
                f"none of the {len(found)} checkpoints in {self.directory} can be read; "
                "start again with another --run-dir, or remove the folder."
            )
        return None

    def remove_leftovers(self):
        """Removes what a kill or a full disk while writing may have left."""
        for path in self.directory.glob("*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.directory.glob("*.tempstate*"):
            with contextlib.suppress(OSError):
                path.unlink()


def _first_line(error):
    return str(error).strip().split("\n")[0][:300]
