"""Splits: which images are for training, validation and test.

What a source does not hold out itself is held out here, by one of the two rules of `glow_tf.data.hold_out`. The record
of how that was done (`SplitRecord`) is kept in the configuration of a run.
"""

import numpy as np

from glow_tf.data.hold_out import HoldOutByName, HoldOutByPosition
from glow_tf.errors import DataError


def draw_splits(rows, config, *, test=None, names=None, fingerprint=None):
    """Return the rows of all three splits, and the record of how they were drawn.

    A missing validation split is held out from the training split. A missing test split is held out as well, or is the
    validation split. Under the paper's protocol the validation split is the test split, and all other images are for
    training.

    Args:
        rows: dictionary of split -> int `[n]`, the splits that the source has.
        config: a `DataConfig`; if it has the record of a run, the splits are drawn as they were for that run.
        test: share of the training split to hold out as the test split where there is none; None: that is the
            validation split.
        names: a str or bytes for each row, or None.
        fingerprint: function that returns a str that differs for other images; needed where there are no names.

    Returns:
        `({split: int64 [n]}, SplitRecord)`; the record has 0 images if nothing was held out.

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


def _hold_out(rows, split, share, rule):
    """Move a share of the training rows to another split, in place."""
    train = rows.get("train", ())
    if len(train) < 2:
        raise DataError(
            f"{rule.source_name}: {len(train)} images to train on are too few to hold out any for the {split} split; "
            "expected 3 or more."
        )
    rows["train"], rows[split] = rule(train, split, share)


def consecutive_rows(counts):
    """Return the rows of parts that are stored one after another.

    Args:
        counts: dictionary of part -> number of records.

    Returns:
        dictionary of part -> int64 `[n]`.
    """
    rows, start = {}, 0
    for part, count in counts.items():
        rows[part] = np.arange(start, start + count)
        start += count
    return rows
