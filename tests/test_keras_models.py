"""Test what Keras users expect of a model: `compile`, `fit`, `evaluate`, callbacks, summaries."""

import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow, layers
from glow_tf.config import ModelConfig
from glow_tf.layers.network import mixed_precision
from glow_tf.training.optimizers import Adam, Adamax
from helpers.commands import run_fork
from helpers.glow_models import make_glow
from helpers.keras_fit import CONFIG, BinMiddles, fit_under, images_and_labels
from helpers.layer_cases import perturb
from helpers.rounding import rounding_error

ONE_LEVEL = {**CONFIG, "levels": 1}
"""A model that Keras trains alike, and that takes half as long to trace."""


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


@pytest.mark.slow
def test_weights_files_do_not_depend_on_compile(tmp_path):
    images, _ = images_and_labels()
    compiled, plain = Glow(ModelConfig(**ONE_LEVEL)), Glow(ModelConfig(**ONE_LEVEL, init_seed=5))
    compiled.compile("adam")
    compiled.fit(images, verbose=0)
    compiled.save_weights(tmp_path / "m.weights.h5")
    plain.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(plain.encode(images)[0], compiled.encode(images)[0])
    other = Glow(ModelConfig(**ONE_LEVEL, init_seed=6))
    other.save_weights(tmp_path / "n.weights.h5")
    compiled.load_weights(tmp_path / "n.weights.h5")
    np.testing.assert_array_equal(compiled.encode(images)[0], other.encode(images)[0])


@pytest.mark.slow
def test_fit_resumes_from_a_saved_compiled_model(tmp_path):
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.compile(keras.optimizers.Adam(1e-2))
    fit = dict(batch_size=16, shuffle=False, verbose=0)
    model.fit(images, **fit)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    expected, resumed = model.fit(images, **fit).history, loaded.fit(images, **fit).history
    assert resumed["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_compile_takes_adamax_and_fit_rejects_unsupported_losses_weights_and_types():
    images, _ = images_and_labels(8)
    model = Glow(ModelConfig(**ONE_LEVEL))
    with pytest.raises(ValueError, match="loss and metrics must be left out"):
        model.compile("adam", loss="mse", metrics=["mae"])
    model.compile(metrics=[], run_eagerly=True)
    assert type(model.optimizer) is Adamax and float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    with pytest.raises(ValueError, match="sample weights and class weights are not supported"):
        model.fit(images, np.zeros(8), sample_weight=np.ones(8), verbose=0)
    with pytest.warns(UserWarning, match="is unconditional: the labels beside the data are not used"):
        model.evaluate(images, np.zeros(8), verbose=0)
    model.compile("sgd", run_eagerly=True)
    assert len(model.evaluate(images, verbose=0)) == 2, "each term once, though the model was compiled twice"
    with pytest.raises(TypeError, match=r"expected uint8 images .* got float32; cast floats .* by tf.cast\(tf.round"):
        model.fit(images.astype("float32"), verbose=0)


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


def test_model_summary_and_config_round_trip():
    model, _, _ = make_glow("float32")
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{model.count_params():,}" in "\n".join(lines)
    again = Glow.from_config(model.get_config())
    assert again.config == model.config
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


def test_gradients_accumulate_over_batches_of_fresh_noise():
    images, _ = images_and_labels(8)
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.initialize(images, seed=0)
    expected = [v.numpy() for v in model.trainable_variables]
    for batch in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.bits_per_dim(images[4 * batch :][:4], seed=[batch, 0]))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        expected = [v - 0.1 * g / 2 for v, g in zip(expected, gradients, strict=True)]
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model.compile(optimizer)
    model.fit(images, batch_size=4, shuffle=False, verbose=0)
    assert int(optimizer.iterations) == 1
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6, err_msg=variable.path)


@pytest.mark.parametrize("optimizer", [Adam, Adamax])
def test_our_optimizers_accumulate_gradients_of_any_model(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 1))
    weights = []
    for options, batch_size in (({}, 6), ({"gradient_accumulation_steps": 3}, 2)):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizer(0.1, **options), "mse", jit_compile=False)
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(*weights, atol=1e-6)


def test_accumulation_under_mirrored_strategy_is_refused():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        message = "gradient_accumulation_steps does not work under MirroredStrategy in Keras"
        with pytest.raises(ValueError, match=f"Adamax: {message}"):
            Adamax(gradient_accumulation_steps=2)
        model = Glow(ModelConfig(**ONE_LEVEL))
        with pytest.raises(ValueError, match=f"compile: {message}"):
            model.compile(keras.optimizers.SGD(gradient_accumulation_steps=2))


def conditional_model():
    """Make a conditional model with general weights."""
    model = Glow(ModelConfig(**CONFIG, classes=10, weight_y=0.1), name="digits")
    perturb(model.trainable_variables, np.random.default_rng(0), 0.05)
    return model


def test_conditional_model_predicts_and_keeps_what_is_frozen(tmp_path):
    images, labels = images_and_labels(8)
    model = conditional_model()
    expected = model.encode(images, labels)
    assert model.compute_output_shape((None, 8, 8, 1)) == [(None, *e.shape[1:]) for e in expected]
    for data in ([images, labels], tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)):
        for latents, value in zip(model.predict(data, verbose=0), expected, strict=True):
            np.testing.assert_allclose(latents, value, atol=1e-5)
    model.flow.step_0_0.actnorm.trainable = False
    model.flow.step_1_0.coupling.network.trainable = False
    model.flow.step_1_0.coupling.network.W_1.trainable = True
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert [v.path for v in loaded.trainable_variables] == [v.path for v in model.trainable_variables]
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    assert not loaded.flow.step_0_0.actnorm.trainable
    model.trainable = False
    assert Glow.from_config(model.get_config()).trainable_variables == []


@pytest.mark.slow
def test_conditional_model_from_a_file_is_exported(tmp_path):
    images, labels = images_and_labels(8)
    model = conditional_model()
    expected = model.encode(images, labels)
    model.flow.step_0_0.actnorm.trainable = False
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    loaded.export(tmp_path / "served", verbose=False)  # not called before
    served = tf.saved_model.load(tmp_path / "served")
    for latents, value in zip(served.serve(images, labels.astype("int32")), expected, strict=True):
        np.testing.assert_allclose(latents, value, atol=1e-5)


def functional_model():
    """Make a functional model of flow layers with several outputs, and a whole Glow."""
    image = keras.Input((8, 8, 1), name="image")
    x, log_det = layers.Squeeze()(image)
    x, term = layers.FlowStep(width=8, seed=1)(x)
    log_det += term
    (z1, eps), term = layers.Split()(x)
    images = keras.Input((8, 8, 1), dtype="uint8", name="images")
    top = keras.layers.Flatten()(Glow(ModelConfig(**CONFIG))(images)[-1])
    return keras.Model([image, images], [z1, eps, log_det + term, keras.layers.Dense(10)(top)])


def test_functional_model_of_flow_layers_saves_and_loads(tmp_path):
    model = functional_model()
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(3, 8, 8, 1)).astype("float32"), rng.integers(0, 256, (3, 8, 8, 1), np.uint8)]
    outputs = model(inputs)
    assert [tuple(v.shape) for v in outputs] == [(3, 4, 4, 2), (3, 4, 4, 2), (3,), (3, 10)]
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    for output, expected in zip(again(inputs), outputs, strict=True):
        np.testing.assert_array_equal(output, expected)


@pytest.fixture
def graphviz(tmp_path, monkeypatch):
    """Put a stub that copies its input in the place of Graphviz where it is not installed."""
    if not shutil.which("dot"):
        dot = tmp_path / "bin" / "dot"
        dot.parent.mkdir()
        dot.write_text('#!/bin/sh\nfor file; do :; done\ncat "$file"\n')
        dot.chmod(0o755)
        monkeypatch.setenv("PATH", f"{dot.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize("make", [functional_model, lambda: Glow(ModelConfig(**CONFIG))])
def test_plot_model_draws_every_model(make, graphviz, tmp_path):
    pytest.importorskip("pydot", reason="the extra `plot` is not installed")
    model = make()
    # Not `plot_model`, which shows the file where IPython is installed, and IPython shows no text of Graphviz.
    dot = keras.utils.model_to_dot(model, show_shapes=True, expand_nested=True, show_layer_names=True)
    assert "Glow" in dot.to_string()
    keras.utils.plot_model(model, tmp_path / "m.png", show_shapes=True)
    assert (tmp_path / "m.png").stat().st_size > 100


def test_global_dtype_policy_does_not_change_the_flow():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Glow(ModelConfig(**CONFIG))
        assert {v.dtype for v in model.weights} == {"float32"}
        images, _ = images_and_labels(8)
        np.testing.assert_array_equal(model.decode(model.encode(images)), images)
    finally:
        keras.config.set_dtype_policy("float32")


def test_mixed_precision_applies_in_training_only():
    images, _ = images_and_labels(8)
    config = ModelConfig(**{**CONFIG, "bits": 8})
    full, mixed = Glow(config), Glow(dataclasses.replace(config, network_dtype="bfloat16"))
    rng = np.random.default_rng(0)
    for a, b in zip(full.trainable_variables, mixed.trainable_variables, strict=True):
        a.assign_add(0.05 * rng.normal(size=a.shape))
        b.assign(a)
    np.testing.assert_array_equal(mixed.encode(images)[0], full.encode(images)[0])
    np.testing.assert_array_equal(mixed.log_prob(images, seed=1), full.log_prob(images, seed=1))
    np.testing.assert_array_equal(mixed.sample(4, seed=1), full.sample(4, seed=1))
    with mixed_precision():
        rounded, exact = mixed.bits_per_dim(images, seed=1), full.bits_per_dim(images, seed=1)
        # In training too: what is rounded is no longer inverted exactly.
        latents = mixed.encode(images)
        np.testing.assert_array_equal(latents[0], full.encode(images)[0])
        np.testing.assert_array_equal(mixed.decode(latents), images)
    assert 0 < np.max(np.abs(rounded - exact)) < 8 * rounding_error("bfloat16", convolutions=2 * 3)
    off = mixed.sample(4, seed=1, mixed=True).numpy().astype(int) - full.sample(4, seed=1)
    assert 0 < np.mean(off != 0) < 0.5


def test_train_on_batch_follows_the_gradient_of_the_mean_and_skipped_batches_have_noise_of_their_own():
    """Scale the loss, as float16 networks may need, so much that the first batches overflow and are skipped."""
    seeds = []

    class Recording(BinMiddles):
        def dequantize(self, images, *, seed=None, noise=None):
            if seed is not None:
                tf.py_function(lambda seed: seeds.append(tuple(seed.numpy())), [seed], [])
            return super().dequantize(images)

        def objective(self, *args, **kwargs):
            terms = super().objective(*args, **kwargs)
            return {**terms, "loss": 1024 * terms["loss"]}

    images, _ = images_and_labels(8)
    model = Recording(ModelConfig(**ONE_LEVEL))
    model.initialize(images)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.bits_per_dim(images))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    expected = [v - 0.1 * g for v, g in zip(model.trainable_variables, gradients, strict=True)]
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1 / 1024), 2.0**127)
    model.compile(optimizer)
    while optimizer.iterations == 0 and len(seeds) < 30:
        model.train_on_batch(images)
    assert 2 < len(seeds) < 30 and len(set(seeds)) == len(seeds) and {seed[0] for seed in seeds} == {0}
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6, err_msg=variable.path)
