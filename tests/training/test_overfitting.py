"""Test the best epoch of a run, and the notice that validation rises while training improves."""

import pytest

from glow_tf.training.overfitting import best_epoch, notice_of_rise

FALLING = [3.0, 2.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]


def rows(validation, training=FALLING, **columns):
    """Make rows of a table of metrics from the losses of the epochs; None is an epoch without a validation."""
    return [
        {"epoch": i + 1.0, "bits_x": bits, "val_bits_x": value, "val_bits_x_average": value and value + 0.5, **columns}
        for i, (value, bits) in enumerate(zip(validation, training, strict=False))
    ]


def test_best_epoch_is_named_where_the_table_holds_it():
    table = rows([2.0, 1.0, None, 1.2])
    assert best_epoch(table, 1.0) == best_epoch(table, 1.50000004, "_average") == 2
    assert best_epoch(table, 0.9) is None, "its row was lost"
    assert best_epoch([], 1.0) is None
    for row, bits_y in zip(table, (0.0, 5.0, None, 0.0), strict=True):
        row["val_bits_y"] = bits_y
    assert best_epoch(table, 1.2, weight_y=0.1) == 4, "the loss of a conditional model has another term"


@pytest.mark.parametrize(
    ("validation", "training", "is_said"),
    [
        ([2, 1, 1.1, 1.2, 1.3, 1.4, 1.5], FALLING, True),
        ([2, 1, 1.1, 1.2, None, 1.3, 1.4, 1.5], FALLING, True),
        ([2, 1, 1.1, 1.2, 1.3, 1.4], FALLING, False),  # not for long
        ([2, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6], FALLING, False),  # said before
        ([2, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0], FALLING, True),  # after twice as many
        ([2, 1, 1.001, 1.001, 1.002, 1.001, 1.002], FALLING, False),  # a plateau
        ([2, 1, 1.1, 1.2, 1.3, 1.4, 1.5], [3, 2, 2.1, 2.2, 2.3, 2.4, 2.5], False),  # training diverges as well
        ([2, 1, 1.1, 1.2, 1.3, 1.4, 0.9], FALLING, False),
        ([], [], False),
    ],
)
def test_rise_of_validation_is_said_after_five_epochs_and_twice_as_many(validation, training, is_said):
    notice = notice_of_rise(rows(validation, training))
    assert (notice is not None) == is_said
    assert not notice or "validation was best in epoch 2 (1.0000) and has risen since" in notice


def test_falling_ema_weights_are_no_rise():
    table = rows([2, 1, 1.1, 1.2, 1.3, 1.4, 1.5])
    for row in table:
        row["val_bits_x_average"] = 1.0 - 0.01 * row["epoch"]
    assert notice_of_rise(table) is None


@pytest.mark.parametrize("bad", [float("nan"), None], ids=["NaN of an old table", "empty cell"])
def test_validation_that_was_not_finite_is_not_the_best(bad):
    table = rows([2.0, 2.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    table[0]["val_bits_x"] = table[0]["val_bits_x_average"] = bad
    assert best_epoch(table, 1.0) == best_epoch(table, 1.5, "_average") == 3
    assert "validation was best in epoch 3 (1.0000)" in notice_of_rise(table)
    table[0]["val_bits_x_average"] = 1.25
    assert best_epoch(table, 1.25, "_average") == 1, "the EMA weights of the epoch are good"
    conditional = rows([1.0, 2.0], val_bits_y=1.0)
    conditional[0]["val_bits_y"] = bad
    assert best_epoch(conditional, 2.5, weight_y=0.5) == 2
