"""The data of a run at another place: a source of the same kind, whose splits are drawn as they were for the run."""

import dataclasses
import warnings

from glow_tf.config import DataConfig
from glow_tf.data.hold_out import same_splits
from glow_tf.data.source import Source


def move(data: DataConfig, source: str, labels: bool) -> DataConfig:
    """Return the configuration of another source than the run's.

    One of the same kind may be the run's data at another place, so its splits are drawn as they were for the run.
    """
    moved = DataConfig(
        source,
        labels=labels,
        validation=data.validation,
        class_attributes=data.class_attributes if labels else (),
        on_damaged=data.on_damaged,
    )
    if not may_be_moved(data, source):
        return moved
    record = data.split_record and dataclasses.replace(data.split_record, images=None, digest=None)
    return dataclasses.replace(moved, paper_protocol=data.paper_protocol, split_record=record)


def may_be_moved(data: DataConfig, source: str) -> bool:
    """Return whether a source is another one than that of a run's `DataConfig`, of the same kind."""
    return source != data.source and source.partition(":")[0] == data.source.partition(":")[0]


def warn_of_other_splits(data: DataConfig, source: Source) -> None:
    """Warn if a source, which may be that of a run's configuration at another place, has other splits."""
    if data.split_record is None or source.split_record is None:
        return
    if not same_splits(source.split_record, data.split_record):
        warnings.warn(
            f"{source.name} has other splits than {data.source}: if it holds the images that the run was trained on, "
            "some of them are in its test split now.",
            stacklevel=2,
        )
