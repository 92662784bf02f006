"""Test `compile`, `fit` and `evaluate` as Keras users call them: callbacks, labels, XLA, replicas."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Coupling, Glow, LikelihoodModel
from glow_tf.config import ModelConfig
from glow_tf.layers.keras_contract import default_floatx
from glow_tf.training.optimizers import Adamax
from helpers.commands import run_fork
from helpers.keras_fit import ONE_LEVEL, BinMiddles, fit_under, images_and_labels


@pytest.mark.slow
def test_fit_evaluate_and_callbacks(tmp_path):
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.initialize(images, seed=1)
    model.compile(Adamax(1e-2))
    history = model.fit(
        images,
        batch_size=16,
        epochs=3,
        validation_data=(images,),
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                tmp_path / "best.keras", monitor="val_bits_x", mode="min", save_best_only=True
            ),
            keras.callbacks.EarlyStopping("val_bits_x", mode="min", patience=5),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
    ).history
    assert set(history) == {"loss", "bits_x", "val_loss", "val_bits_x"}
    assert history["bits_x"][-1] < history["bits_x"][0]
    results = model.evaluate(images, batch_size=16, verbose=0, return_dict=True)
    assert results == model.evaluate(images, batch_size=16, verbose=0, return_dict=True), "evaluations repeat"
    assert results["bits_x"] == pytest.approx(history["val_bits_x"][-1], rel=0.05)
    expected = [model.bits_per_dim(images[i : i + 16], seed=[-1 - i, 0]) for i in range(0, len(images), 16)]
    assert results["bits_x"] == pytest.approx(float(np.mean(expected)), rel=1e-6)
    assert (tmp_path / "log.csv").read_text().count("\n") == 4
    loaded = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.encode(images)[-1], model.encode(images)[-1], atol=1e-5)


def test_fit_of_a_frozen_model_measures_each_batch_with_noise_of_its_own_as_evaluate_does():
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.trainable = False
    model.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match="no weight of the model is trainable"):
        history = model.fit(images, batch_size=32, verbose=0, shuffle=False).history
    expected = [model.bits_per_dim(images[i : i + 32], seed=[-1 - i, 0]) for i in (0, 32)]
    assert history["bits_x"] == pytest.approx([float(np.mean(expected))], rel=1e-6)
    assert history["bits_x"] == [model.evaluate(images, batch_size=32, verbose=0, return_dict=True)["bits_x"]]


@pytest.mark.slow
def test_fit_with_labels_reports_the_classification_loss_and_traces_its_step_once(monkeypatch):
    train_step, traces = Glow.train_step, []
    monkeypatch.setattr(Glow, "train_step", lambda self, data: traces.append(data) or train_step(self, data))
    images, labels = images_and_labels()
    model = Glow(ModelConfig(**ONE_LEVEL, classes=10, weight_y=0.1))
    model.initialize(images, labels, seed=1)
    model.compile("adam")
    history = model.fit(images, labels, batch_size=16, verbose=0).history
    assert set(history) == {"loss", "bits_x", "bits_y", "error"} and len(traces) == 1
    assert history["loss"][0] == pytest.approx(history["bits_x"][0] + 0.1 * history["bits_y"][0], rel=1e-5)


def test_compile_takes_adamax_and_fit_rejects_unsupported_losses_weights_and_types():
    images, _ = images_and_labels(8)
    model = Glow(ModelConfig(**ONE_LEVEL))
    with pytest.raises(ValueError, match="loss and metrics must be left out"):
        model.compile("adam", loss="mse", metrics=["mae"])
    model.compile(metrics=[], run_eagerly=True)
    assert type(model.optimizer) is Adamax and float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    refused = pytest.raises(ValueError, match="sample weights and class weights are not supported")
    for targets in (None, np.zeros(8)):
        with refused:
            model.fit(images, targets, sample_weight=np.ones(8), verbose=0)
        with pytest.raises(ValueError, match=r"\.evaluate: sample weights"):
            model.evaluate(images, targets, sample_weight=np.ones(8), verbose=0)
    with refused:
        model.fit(images, class_weight={0: 2.0}, verbose=0)
    with refused:
        model.train_on_batch(images, np.zeros(8), sample_weight=np.ones(8))
    with pytest.warns(UserWarning, match="is unconditional: the labels beside the data are not used"):
        model.evaluate(images, np.zeros(8), verbose=0)
    model.compile("sgd", run_eagerly=True)
    assert len(model.evaluate(images, verbose=0)) == 2, "each term once, though the model was compiled twice"
    with pytest.raises(TypeError, match=r"expected uint8 images .* got float32; cast floats .* by tf.cast\(tf.round"):
        model.fit(images.astype("float32"), verbose=0)


def test_loss_is_scaled_where_networks_compute_in_float16():
    half = Glow(ModelConfig(**ONE_LEVEL, network_dtype="float16"))
    dense = keras.Sequential([keras.layers.Dense(4, dtype="mixed_float16"), keras.layers.Dense(2)])
    models = [half, LikelihoodModel(Coupling(network=dense)), LikelihoodModel(Coupling(network_dtype="float16"))]
    for model in models:
        for optimizer in (None, "adam", keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())):
            model.compile(optimizer)
            assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
            assert not isinstance(model.optimizer.inner_optimizer, keras.optimizers.LossScaleOptimizer)
    half.compile(auto_scale_loss=False)
    assert type(half.optimizer) is Adamax
    for model in (Glow(ModelConfig(**ONE_LEVEL, network_dtype="bfloat16")), LikelihoodModel(Coupling())):
        model.compile()
        assert type(model.optimizer) is Adamax


@pytest.mark.parametrize("floatx", ["float16", "bfloat16"])
def test_means_do_not_depend_on_the_default_type_of_keras(floatx):
    """A mean in bfloat16 stops counting at some hundred images, and one in float16 becomes infinite."""
    model = Glow(ModelConfig(**ONE_LEVEL))
    with default_floatx(floatx):
        model.compile(run_eagerly=True)
        assert keras.config.floatx() == floatx
    assert [metric.dtype for metric in model.metrics] == ["float32"] * len(model.term_names)
    assert keras.backend.standardize_dtype(model.optimizer.learning_rate.dtype) == "float32"


@pytest.mark.slow
def test_fit_compiled_by_xla_matches_the_plain_one():
    images, _ = images_and_labels(16)
    models = [BinMiddles(ModelConfig(**ONE_LEVEL)) for _ in range(2)]  # XLA would draw other noise for the same seed
    losses = []
    for model, jit_compile in zip(models, (False, True), strict=True):
        model.initialize(images)
        model.compile(Adamax(1e-3), jit_compile=jit_compile)
        losses.append(model.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for a, b in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5, err_msg=a.path)


@pytest.mark.slow
def test_fit_under_mirrored_strategy_matches_one_replica(tmp_path):
    """Check that no loss is scaled by the number of replicas and no image lost or counted twice, even in batches
    divided unevenly; and that `evaluate` is the mean of `bits_per_dim`."""
    out, _ = run_fork("-m", "helpers.keras_fit", cwd=tmp_path)
    one, two = fit_under(tf.distribute.get_strategy()), json.loads(out.splitlines()[-1])
    assert one["loss"][1] < one["loss"][0]
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, atol=1e-5, err_msg=name)
    for result in (one, two):
        assert result["evaluate"] == pytest.approx(result["bits_per_dim"], rel=1e-6)
