"""Splits: which images are for training, validation and test.

What a source does not hold out itself is held out here, by one of the two rules of `glow_tf.data.hold_out`. The record
of how that was done (`SplitRecord`) is kept in the configuration of a run.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from glow_tf.config import DataConfig, SplitRecord
from glow_tf.counts import counted
from glow_tf.data.hold_out import HoldOutByName, HoldOutByPosition
from glow_tf.errors import DataError


def draw_splits(
    rows: Mapping[str, np.ndarray],
    config: DataConfig,
    *,
    test: float | None = None,
    names: Sequence[str | bytes] | None = None,
    fingerprint: Callable[[], str] | None = None,
) -> tuple[dict[str, np.ndarray], SplitRecord]:
    """Return the rows of all three splits, and the record of how they were drawn.

    A missing validation split is held out from the training split. A missing test split is held out as well, or is the
    validation split. Under the paper's protocol the validation split is the test split, and all other images are for
    training.

    Args:
        rows: int `[n]` by split, the splits that the source has.
        config: the configuration of the source; if it has the record of a run, the splits are drawn as they were for
            that run.
        test: share of the training split to hold out as the test split where there is none; None: that is the
            validation split.
        names: name of the image of each row, or None.
        fingerprint: function that returns a text that differs for other images; needed where there are no names.

    Returns:
        `(rows, record)`: int64 `[n]` by split, and how they were drawn; the record has 0 images if nothing was held
        out.

    Raises:
        DataError: there are too few images, or they or their splits are not those of the run.
    """
    rows = {split: np.asarray(r, np.int64) for split, r in rows.items() if len(r)}
    recorded = config.split_record
    if names is None or (recorded is not None and recorded.rule == "position"):
        rule = HoldOutByPosition(config.source, names, fingerprint, recorded)
    else:
        rule = HoldOutByName(config.source, names, recorded)
    if "test" not in rows and test is not None:
        _hold_out(rows, "test", test, rule)
    if config.paper_protocol:
        if "test" not in rows:
            raise DataError(f"{config.source} has no test split, which the paper's protocol selects on.")
        if "validation" in rows:
            rows["train"] = np.concatenate([rows["train"], rows["validation"]])
        rows["validation"] = rows["test"]
    elif "validation" not in rows:
        _hold_out(rows, "validation", config.validation, rule)
    rows.setdefault("test", rows["validation"])
    return rows, rule.record()


def _hold_out(rows: dict[str, np.ndarray], split: str, share: float, rule: HoldOutByName | HoldOutByPosition) -> None:
    """Move a share of the training rows to another split, in place."""
    train = rows.get("train", np.zeros(0, np.int64))
    if len(train) < 2:
        raise DataError(
            f"{rule.source_name}: too few to hold out any for the {split} split: {counted(len(train), 'image')} to "
            "train on; expected 3 or more."
        )
    rows["train"], rows[split] = rule(train, split, share)


def spread_positions(count: int, limit: int) -> np.ndarray:
    """Return at most `limit` positions that are spread evenly over `count`, the first and the last among them.

    The first images of a folder or a database may be of one class: they are sorted by it.

    Example:
        >>> spread_positions(10, 4).tolist()
        [0, 3, 6, 9]
    """
    return np.linspace(0, count - 1, min(limit, count)).astype(int)


def consecutive_rows(counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return the rows of parts that are stored one after another.

    Args:
        counts: number of records by part.

    Returns:
        int64 `[n]` by part.

    Example:
        >>> {part: rows.tolist() for part, rows in consecutive_rows({"train": 3, "test": 2}).items()}
        {'train': [0, 1, 2], 'test': [3, 4]}
    """
    rows, start = {}, 0
    for part, count in counts.items():
        rows[part] = np.arange(start, start + count)
        start += count
    return rows
