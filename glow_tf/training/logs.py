"""Output of a run while it trains: the progress bar and TensorBoard."""

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import keras
import tensorflow as tf
import tqdm

from glow_tf.config import AnchoredTraining
from glow_tf.counts import counted
from glow_tf.io import cannot_write
from glow_tf.types import Images

Logs: TypeAlias = Mapping[str, Any]
"""Columns of `metrics.csv` and their values; within an epoch, a part of them."""


class ProgressBar(keras.callbacks.Callback):
    """A bar per epoch with bits/dim, images per second and the time left; then one line of results.

    Args:
        training: the training that the bar shows.
    """

    def __init__(self, training: AnchoredTraining) -> None:
        super().__init__()
        self.epochs, self.epoch_steps, self.batch_size = training.epochs, training.epoch_steps, training.batch_size

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the bar of an epoch."""
        self.bar = tqdm.tqdm(
            desc=self._epoch_name(epoch),
            total=self.epoch_steps * self.batch_size,
            initial=(logs or {}).get("done", 0) * self.batch_size,
            unit=" images",
            unit_scale=True,
            leave=False,
            dynamic_ncols=True,
            disable=None,  # only a terminal shows it, not a log file
        )

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advance the bar by a batch."""
        self.bar.update(self.batch_size)
        if logs:
            self.bar.set_postfix_str(f"{logs['bits_x']:.3f} bits/dim", refresh=False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Close the bar, and print the results of the epoch."""
        assert logs is not None
        self.bar.close()
        parts = [self._epoch_name(epoch), f"step {logs['step']:.0f}", counted(round(logs["images"]), "image")]
        parts.append(f"train {_format_bits(logs['bits_x'])}")
        if "val_bits_x" in logs:
            raw, ema = _format_bits(logs["val_bits_x"]), _format_bits(logs["val_bits_x_average"])
            parts.append(f"validation {raw} (EMA {ema})")
        if logs.get("val_error") is not None:
            parts.append(f"error {logs['val_error']:.1%}")
        parts.append(f"{logs['images_per_second']:,.0f} images/s")
        if logs["skipped"]:
            parts.append(f"{counted(round(logs['skipped']), 'step')} skipped")
        tqdm.tqdm.write("  ".join(parts))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the bar of an interrupted epoch."""
        if hasattr(self, "bar"):
            self.bar.close()

    def _epoch_name(self, epoch: int) -> str:
        return f"epoch {epoch + 1}" + (f"/{self.epochs}" if self.epochs else "")


def _format_bits(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def tensorboard_available() -> bool:
    """Return whether TensorBoard is installed: TensorFlow 2.21 does not require it, and `tf.summary` needs it."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoard(keras.callbacks.Callback):
    """Scalars of every epoch and grids of samples, by step, for TensorBoard.

    Args:
        directory: path of the folder of event files.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self.directory = directory
        with self._writing():
            self.writer = tf.summary.create_file_writer(str(directory))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the columns of an epoch."""
        assert logs is not None
        with self._writing(), self.writer.as_default(step=int(logs["step"])):
            for name, value in logs.items():
                if value is not None:
                    tf.summary.scalar(name, value)
            self.writer.flush()

    def image(self, name: str, image: Images, step: int) -> None:
        """Write an image uint8 `[H, W, C]`."""
        with self._writing(), self.writer.as_default(step=step):
            tf.summary.image(name, image[None])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Make an error of TensorFlow's writer a `RunError`."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            raise cannot_write(self.directory, error) from error
