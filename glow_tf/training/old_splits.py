"""Check the data of runs of format 1, which held images out by position and kept no record of them."""

import warnings

from glow_tf.config import DataConfig, SplitRecord
from glow_tf.data import Source
from glow_tf.errors import DataError
from glow_tf.runs import MetricsTable, Run

KINDS_THAT_CHANGE = ("folder", "npz", "npy", "tfrecord", "lsun-lmdb")
"""Kinds of sources whose images a user can change; those of packages have versions."""

ROUNDING = 1e-5
"""Upper bound of the relative error of a number in `metrics.csv`."""


def check_old_split(run: Run, config: DataConfig, source: Source) -> None:
    """Compare a source with the data of a run of format 1; warn if they cannot be compared.

    The metrics of a run with labels hold shares of its validation images, so their number can be compared.

    Args:
        run: the run, which is resumed or evaluated.
        config: the configuration of the run's data; without the record of an old run nothing is done.
        source: the images.

    Raises:
        DataError: the run validated on another number of images.
    """
    if config.split_record != SplitRecord("position"):
        return
    count = source.size("validation")
    shares = [share for row in MetricsTable(run.metrics_path).rows() if (share := row.get("val_error"))]
    stopped_at_damaged = config.on_damaged == "stop"  # else fewer images were validated on
    if stopped_at_damaged and not all(is_share(value, count) for value in shares):
        raise DataError(
            f"{source.name} has changed: {run.path} validated on another number of images than the {count:,} that are "
            "held out now, so that its training images would be among those held out; bring the first images back, or "
            "start a new run."
        )
    record = source.split_record
    if source.name.partition(":")[0] in KINDS_THAT_CHANGE and record and record.images and not shares:
        warnings.warn(
            f"{run.path} is of an earlier version, which kept no record of the images: if any were added to "
            f"{source.name} or removed since, some held-out images were trained on.",
            stacklevel=2,
        )


def is_share(value: float, count: int) -> bool:
    """Return whether a number of `metrics.csv` can be the share of some of `count` images."""
    return abs(value * count - round(value * count)) <= ROUNDING * value * count
