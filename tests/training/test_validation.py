"""Test the means of a validation: which images count, and what is kept of means that are not finite."""

import types

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.metrics_table import MetricsTable
from glow_tf.training import devices, validation
from glow_tf.training.validation import Validation, validate_and_keep_best
from helpers.stub_training import StubTrainer


def test_image_of_weight_0_does_not_count_though_its_loss_is_not_finite(monkeypatch):
    """A damaged image that is left out is black, and a model may give it an infinite loss."""
    monkeypatch.setattr(validation, "objective", lambda model, batch: {"loss": batch["loss"]})
    batch = {"loss": tf.constant([1.0, np.nan, np.inf, 4.0]), "weight": tf.constant([1.0, 0.0, 0.0, 1.0])}
    model = types.SimpleNamespace(term_names=["loss"])
    assert Validation(model, devices.strategy("cpu"))([batch]) == {"loss": 2.5}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_mean_that_is_not_finite_is_an_empty_cell_and_never_the_best(bad, tmp_path):
    state = StubTrainer(tmp_path / "run").state
    means = iter([{"loss": bad, "bits_x": bad}, {"loss": 2.0, "bits_x": 2.0}])
    row = validate_and_keep_best(state, lambda dataset: next(means), ())
    assert row == {"val_bits_x": None, "val_bits_x_average": 2.0}
    np.testing.assert_array_equal(state.counters.best, [np.inf, 2.0])
    assert [path.name for path in state.run.weights.iterdir()] == ["best_average.weights.h5"]
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append({"epoch": 1, "step": 2, **row})
    assert table.path.read_text() == "epoch,step,val_bits_x,val_bits_x_average\n1,2,,2\n"
