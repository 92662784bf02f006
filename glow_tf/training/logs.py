"""What a run tells: the metrics table, the progress bar, TensorBoard."""

import csv
import importlib.util
import io

import keras
import tensorflow as tf
import tqdm

from glow_tf.runs import write_atomically


class MetricsTable:
    """`metrics.csv`: one row per epoch."""

    def __init__(self, path):
        self.path = path

    def rows(self):
        """All rows, as dictionaries of floats (None where empty)."""
        if not self.path.is_file():
            return []
        with open(self.path, newline="") as file:
            rows = list(csv.DictReader(file))
        return [{k: float(v) if v else None for k, v in row.items()} for row in rows]

    def append(self, row):
        self._write([*self.rows(), row])

    def cut_back(self, step):
        """Drops the rows after `step`, which training will write again."""
        rows = self.rows()
        if any(row["step"] > step for row in rows):
            self._write([row for row in rows if row["step"] <= step])

    def _write(self, rows):
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _short(v) for k, v in row.items()})
        write_atomically(self.path, lambda p: p.write_text(text.getvalue()))


def _short(value):
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"


class ProgressBar(keras.callbacks.Callback):
    """A bar per epoch with bits/dim, images per second and the time left; then one line of results."""

    def __init__(self, epochs, epoch_steps, batch_size):
        super().__init__()
        self.epochs, self.epoch_steps, self.batch_size = epochs, epoch_steps, batch_size

    def on_epoch_begin(self, epoch, logs=None):
        total = f"/{self.epochs}" if self.epochs else ""
        self.bar = tqdm.tqdm(
            desc=f"epoch {epoch + 1}{total}",
            total=self.epoch_steps * self.batch_size,
            initial=(logs or {}).get("done", 0) * self.batch_size,
            unit=" images",
            unit_scale=True,
            leave=False,
            dynamic_ncols=True,
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.batch_size)
        if logs:
            self.bar.set_postfix_str(f"{logs['bits_x']:.3f} bits/dim", refresh=False)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()
        total = f"/{self.epochs}" if self.epochs else ""
        parts = [f"epoch {epoch + 1}{total}", f"step {logs['step']:.0f}", f"{logs['images']:,.0f} images"]
        parts.append(f"train {_number(logs['bits_x'])}")
        if logs.get("val_bits_x") is not None:
            parts.append(f"validation {_number(logs['val_bits_x'])} (average {_number(logs['val_bits_x_average'])})")
        if logs.get("val_error") is not None:
            parts.append(f"error {logs['val_error']:.1%}")
        parts.append(f"{logs['images_per_second']:,.0f} images/s")
        if logs["skipped"]:
            parts.append(f"{logs['skipped']:.0f} steps skipped")
        tqdm.tqdm.write("  ".join(parts))

    def on_train_end(self, logs=None):
        if hasattr(self, "bar"):
            self.bar.close()


def _number(value):
    return "-" if value is None else f"{value:.4f}"


def tensorboard_available():
    """TensorBoard is not a dependency of TensorFlow 2.21; without it `tf.summary` raises."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoard(keras.callbacks.Callback):
    """Scalars of every epoch and grids of samples, by step, under `<run>/tensorboard`."""

    def __init__(self, directory):
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(directory))

    def on_epoch_end(self, epoch, logs=None):
        with self.writer.as_default(step=int(logs["step"])):
            for key, value in logs.items():
                if value is not None:
                    tf.summary.scalar(key, value)
        self.writer.flush()

    def image(self, name, image, step):
        """A uint8 image `[H, W, C]`."""
        with self.writer.as_default(step=step):
            tf.summary.image(name, image[None])
