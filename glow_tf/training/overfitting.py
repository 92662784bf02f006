"""The best epoch of a run, and a notice where validation rises for long while training improves."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import keras
import tqdm

from glow_tf.metrics_table import MetricsTable, validation_loss
from glow_tf.run_files import EMA_SUFFIX

RowLike: TypeAlias = Mapping[str, Any]
"""A row of a `MetricsTable`, or the logs of an epoch."""

PATIENCE = 5
"""Validations in a row above the best one before the first notice; each further one takes twice as many."""

RISE = 0.005
"""Bits/dim by which these exceed the best on average; less is a plateau."""


def best_epoch(rows: Iterable[RowLike], value: float, suffix: str = "", weight_y: float = 0.0) -> int | None:
    """Return the epoch whose validation loss was `value`, the lowest; None where the rows do not hold it.

    Args:
        rows: rows of a `MetricsTable`.
        value: the best loss as the run keeps it.
        suffix: `EMA_SUFFIX` for the EMA weights, "" for the raw ones.
        weight_y: see `ModelConfig`.
    """
    losses = {row["epoch"]: validation_loss(row, suffix, weight_y) for row in rows}
    epoch = min(losses, key=lambda epoch: losses[epoch], default=None)
    # The table has six digits. It may have lost rows, the best one among them.
    return int(epoch) if epoch is not None and abs(losses[epoch] - value) < 1e-4 * max(abs(value), 1) else None


def notice_of_rise(rows: Iterable[RowLike], weight_y: float = 0.0) -> str | None:
    """Return a sentence if validation has been above its best for long while training improved, else None.

    Args:
        rows: rows of a `MetricsTable`.
        weight_y: see `ModelConfig`.
    """
    rows = [row for row in rows if _is_validated(row, weight_y) and row["bits_x"] is not None]
    losses = [_lower_loss(row, weight_y) for row in rows]
    if not losses:
        return None
    best = losses.index(min(losses))
    later = losses[best + 1 :]
    is_due = len(later) in {PATIENCE * 2**i for i in range(32)}
    rise = sum(later[-PATIENCE:]) / PATIENCE - losses[best] if is_due else 0
    if rise <= RISE or rows[-1]["bits_x"] >= rows[best]["bits_x"]:
        return None
    return (
        f"validation was best in epoch {rows[best]['epoch']:.0f} ({losses[best]:.4f}) and has risen since, to "
        f"{losses[-1]:.4f}, while training improved: the model begins to learn its training images by heart. The "
        "weights of that epoch stay in weights/best*; more images, --flip or a smaller model would help."
    )


class OverfittingNotice(keras.callbacks.Callback):
    """Print `notice_of_rise` at the end of an epoch.

    Args:
        table: the table of the run.
        weight_y: see `ModelConfig`.
    """

    def __init__(self, table: MetricsTable, weight_y: float) -> None:
        super().__init__()
        self.table, self.weight_y = table, weight_y

    def on_epoch_end(self, epoch: int, logs: RowLike | None = None) -> None:
        """Print the notice, if validation has risen for long."""
        assert logs is not None
        if _is_validated(logs, self.weight_y) and (notice := notice_of_rise(self.table.rows(), self.weight_y)):
            tqdm.tqdm.write(notice)


def _is_validated(row: RowLike, weight_y: float) -> bool:
    return math.isfinite(_lower_loss(row, weight_y))


def _lower_loss(row: RowLike, weight_y: float) -> float:
    return min(validation_loss(row, suffix, weight_y) for suffix in ("", EMA_SUFFIX))
