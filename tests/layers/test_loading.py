"""Test that weights which are not finite are refused by name, by every way in which they are loaded or set."""

import functools
import shutil
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow, layers
from glow_tf.config import ModelConfig
from glow_tf.errors import DataError, RunError
from glow_tf.export import export_model
from glow_tf.layers.loading import loading_problem
from glow_tf.runs import load_keras, load_model
from helpers import layer_cases

SMALLEST = dict(image_shape=(4, 4, 1), levels=2, depth=1, width=2, classes=3, weight_y=0.1)


def set_one(variable, value):
    """Set one entry of a variable."""
    values = variable.numpy()
    values.flat[-1] = value
    variable.assign(values)


@pytest.mark.slow
@pytest.mark.parametrize(("permutation", "part"), [("1x1", ""), ("lu", "permutation")])
def test_first_weight_that_is_not_finite_is_named_and_none_is_taken(permutation, part, tmp_path):
    model, fresh = (Glow(ModelConfig(**SMALLEST, permutation=permutation)) for _ in range(2))
    variables = [v for v in model.trainable_variables if "step_0_0" not in v.path and part in v.path]
    layer_cases.perturb(model.trainable_variables, np.random.default_rng(0))
    before = fresh.get_weights()
    for i, variable in enumerate(variables):
        value = variable.numpy()
        set_one(variable, (np.nan, np.inf, -np.inf)[i % 3])
        model.save_weights(tmp_path / "m.weights.h5")
        variable.assign(value)
        message = f"the weight {variable.path} is not finite: 1 of its {value.size:,} value"
        with pytest.raises(ValueError, match=message):
            fresh.load_weights(tmp_path / "m.weights.h5")
        for weight, expected in zip(fresh.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, expected)
    model.save_weights(tmp_path / "m.weights.h5")
    fresh.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])


def test_load_after_a_refused_one_and_a_load_that_is_interrupted(tmp_path, monkeypatch):
    """The problem of an earlier file must not be reported of the next, and Ctrl-C must leave no half-loaded model."""
    model = Glow(ModelConfig(**SMALLEST))
    actnorm = model.flow.step_1_0.actnorm
    actnorm._loading_problem = "the weight of an earlier file"
    model.save_weights(tmp_path / "m.weights.h5")
    model.load_weights(tmp_path / "m.weights.h5")
    assert not actnorm._loading_problem
    before = model.get_weights()
    layer_cases.perturb(model.trainable_variables, np.random.default_rng(0))
    model.save_weights(tmp_path / "other.weights.h5")
    model.set_weights(before)

    def interrupt(store):
        raise KeyboardInterrupt

    monkeypatch.setattr(model.classifier, "load_own_variables", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.load_weights(tmp_path / "other.weights.h5")
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_every_file_with_weights_that_are_not_finite_is_refused(tmp_path):
    model = Glow(ModelConfig(**SMALLEST))
    name = "flow/step_1_0/actnorm/logs"
    set_one(model.flow.step_1_0.actnorm.logs, np.nan)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=f"the weight .*{name} is not finite"):
        keras.saving.load_model(tmp_path / "m.keras")
    for load in (load_keras, load_model):
        with pytest.raises(RunError, match=rf"m.keras cannot be read as a Keras model: the weight .*{name}.*\.$"):
            load(tmp_path / "m.keras")
    with pytest.raises(RunError, match=f"the weight {name} is not finite"):
        export_model(model, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_runs_with_weights_that_are_not_finite_are_refused(tiny_run, tmp_path):
    path = shutil.copytree(tiny_run, tmp_path / "run")
    model = load_model(path)
    set_one(model.flow.split_0.conv.b, np.inf)
    model.save_weights(path / "weights" / "best_average.weights.h5")
    load_model(path)
    with pytest.raises(RunError, match=r"best_average.* the weight flow/split_0/conv/b is not finite: 1"):
        load_model(path, ema=True)


def test_functional_model_of_flow_layers_refuses_weights_that_are_not_finite(tmp_path):
    image = keras.Input((4, 4, 2))
    layer = layers.ActNorm(name="actnorm")
    model = keras.Model(image, layer(image))
    set_one(layer.b, np.nan)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="the weight actnorm/b is not finite: 1 of its 2 values"):
        keras.saving.load_model(tmp_path / "m.keras")


def model_of(layer, channels=2):
    image = keras.Input((4, 4, channels))
    return keras.Model(image, layer(image))


@pytest.mark.parametrize(
    ("make", "name", "problem"),
    [
        (functools.partial(layers.Shuffle, seed=0), "indices", "is not a permutation of the channels"),
        (functools.partial(layers.InvertibleConv1x1, lu=True), "P", "is not a permutation matrix"),
        (functools.partial(layers.InvertibleConv1x1, lu=True), "sign_S", "holds other values than 1 and -1"),
    ],
)
def test_file_with_a_damaged_fixed_array_is_refused(make, name, problem, tmp_path):
    layer = make(name="layer")
    model = model_of(layer)
    set_one(getattr(layer, name), 2)
    model.save_weights(tmp_path / "m.weights.h5")
    model.save(tmp_path / "m.keras")
    for load, file in (
        (model_of(make(name="layer")).load_weights, "m.weights.h5"),
        (keras.models.load_model, "m.keras"),
    ):
        with pytest.raises(ValueError, match=f"the weight layer/{name} {problem}; the file is damaged"):
            load(tmp_path / file)
    with pytest.raises(ValueError, match="shape"):  # as Keras says it, which tells more
        model_of(make(name="layer"), channels=4).load_weights(tmp_path / "m.weights.h5")


def test_problem_of_a_loading_error_is_one_line():
    assert loading_problem(ValueError("A total of 2 objects:\n\nthe cause\nmore\n\nList:\n[a, b]")) == "the cause"
    assert loading_problem(ValueError("the cause\nmore")) == "the cause"
    assert loading_problem(ValueError()) == "ValueError"


@pytest.mark.slow
def test_fit_warns_of_a_new_model_that_was_not_initialized(monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", lambda self, *args, **kwargs: "history")
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
    labels = np.arange(8) % 3
    model = Glow(ModelConfig(**SMALLEST), name="model")
    weights = model.get_weights()
    assert model.uninitialized
    model.compile("adam")
    with pytest.warns(UserWarning, match=r"model\.fit: the actnorms .* call model\.initialize on a batch"):
        assert model.fit(images, labels) == "history"
    for weight, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    trained, initialized, loaded = (Glow(ModelConfig(**SMALLEST)) for _ in range(3))
    for other in (trained, initialized, loaded):
        other.compile("adam")
    trained.optimizer.iterations.assign(1)
    initialized.initialize(images, labels, seed=0)
    loaded.set_weights(initialized.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other in (trained, initialized, loaded):
            other.fit(images, labels)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_initialization_from_data_that_is_not_finite_sets_nothing(wrong):
    x = np.random.default_rng(0).normal(size=(4, 4, 4, 2)).astype("float32")
    x[1, 2, 3, 0] = wrong
    flow = layers.GlowFlow(levels=1, depth=2, width=2, name="flow")
    flow.build((None, 4, 4, 2))
    before = flow.get_weights()
    with pytest.raises(DataError, match=r"flow\.initialize: expected a batch of finite values"):
        flow.initialize(x)
    with pytest.raises(DataError, match=r"at least one example, got the shape \(0, 4, 4, 2\)"):
        flow.initialize(x[:0])
    for weight, expected in zip(flow.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_actnorm_is_not_set_from_statistics_that_are_not_finite():
    actnorm = layers.ActNorm(name="actnorm")
    actnorm.build((None, 1))
    with pytest.raises(DataError, match="actnorm: the mean or the standard deviation of the batch is NaN or infinite"):
        actnorm.initialize(tf.constant([[1e30], [-1e30]]))  # whose variance overflows
    with pytest.raises(DataError, match="NaN or infinite"):
        actnorm.assign_from_statistics(tf.constant([np.nan]), tf.constant([1.0]))
    assert not np.any(actnorm.b) and not np.any(actnorm.logs)
