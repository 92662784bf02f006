"""`compile`, `fit`, `evaluate`, callbacks, summaries: what Keras users expect of a model."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import keras
import laws
import numpy as np
import pytest
import tensorflow as tf
from test_model import make
from training.commands import ROOT, environment

from glow_tf import Glow, layers
from glow_tf.config import ModelConfig
from glow_tf.layers.network import mixed_precision
from glow_tf.training.optimizers import Adamax

CONFIG = dict(image_shape=(8, 8, 1), bits=4, levels=2, depth=1, width=8)


def images_and_labels(n=64):
    from glow_tf.config import DataConfig
    from glow_tf.data import open_source, pipeline

    config = DataConfig("bundled:digits")
    return pipeline.arrays(open_source(config, (8, 8, 1)), "train", config, (8, 8, 1), n)[:2]


@pytest.mark.slow
def test_fit_evaluate_and_callbacks(tmp_path):
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**CONFIG))
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
    expected = [model.bits_per_dim(images[i : i + 16], seed=[-1, 0]) for i in range(0, len(images), 16)]
    assert results["bits_x"] == pytest.approx(float(np.mean(expected)), rel=1e-6)
    assert (tmp_path / "log.csv").read_text().count("\n") == 4
    loaded = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.encode(images)[-1], model.encode(images)[-1], atol=1e-5)


@pytest.mark.slow
def test_fit_with_labels():
    images, labels = images_and_labels()
    model = Glow(ModelConfig(**CONFIG, classes=10, weight_y=0.1))
    model.initialize(images, labels, seed=1)
    model.compile("adam")
    history = model.fit(images, labels, batch_size=16, verbose=0).history
    assert set(history) == {"loss", "bits_x", "bits_y", "error"}
    assert history["loss"][0] == pytest.approx(history["bits_x"][0] + 0.1 * history["bits_y"][0], rel=1e-5)


@pytest.mark.slow
def test_weights_files_do_not_depend_on_compile(tmp_path):
    images, _ = images_and_labels()
    compiled, plain = Glow(ModelConfig(**CONFIG)), Glow(ModelConfig(**CONFIG, init_seed=5))
    compiled.compile("adam")
    compiled.fit(images, verbose=0)
    compiled.save_weights(tmp_path / "m.weights.h5")
    plain.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(plain.encode(images)[0], compiled.encode(images)[0])
    plain.save_weights(tmp_path / "n.weights.h5")
    compiled.load_weights(tmp_path / "n.weights.h5")


@pytest.mark.slow
def test_a_compiled_model_goes_on_where_it_was_saved(tmp_path):
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**CONFIG))
    model.compile(keras.optimizers.Adam(1e-2))
    fit = dict(batch_size=16, shuffle=False, verbose=0)
    model.fit(images, **fit)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    expected, found = model.fit(images, **fit).history, loaded.fit(images, **fit).history
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    largest = max(np.abs(a - b).max() for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True))
    assert largest < 1e-6


def test_what_fit_cannot_do_is_refused():
    images, _ = images_and_labels(8)
    model = Glow(ModelConfig(**CONFIG))
    with pytest.raises(ValueError, match="loss and metrics must be left out"):
        model.compile("adam", loss="mse", metrics=["mae"])
    model.compile("adam")
    with pytest.raises(ValueError, match="sample weights"):
        model.fit(images, np.zeros(8), sample_weight=np.ones(8), verbose=0)
    with pytest.raises(TypeError, match="expected uint8 images"):
        model.fit(images.astype("float32"), verbose=0)


def fit_under(strategy):
    """The history and the weights of one training."""
    images, _ = images_and_labels(33)
    with strategy.scope():
        model = BinMiddles(ModelConfig(**CONFIG))
        model.initialize(images)
        model.compile(keras.optimizers.SGD(0.05))
    # The last batch is a single image: one of two replicas gets none.
    data = tf.data.Dataset.from_tensor_slices(images).batch(16)
    history = model.fit(data, epochs=2, validation_data=data, verbose=0).history
    measured = {
        "evaluate": model.evaluate(data, verbose=0, return_dict=True)["bits_x"],
        "bits_per_dim": float(np.mean(model.bits_per_dim(images))),
    }
    return {**history, **measured, "weights": np.concatenate([w.ravel() for w in model.get_weights()]).tolist()}


def fit_on_two_replicas():
    """Prints `fit_under` two logical CPU devices; for a process of its own, which they must be the first act of."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    print(json.dumps(fit_under(strategy)))


class BinMiddles(Glow):
    """Without noise, which is a replica's own."""

    def dequantize(self, images, *, seed=None, noise=None):
        return super().dequantize(images, noise=0.5)


@pytest.mark.slow
def test_fit_under_mirrored_strategy(tmp_path):
    """Losses and weights are those of one replica: no factor of the number of replicas, no image lost or counted
    twice, where a batch is divided unevenly too; and `evaluate` is the mean of `bits_per_dim`."""
    command = [sys.executable, "-c", "import test_keras; test_keras.fit_on_two_replicas()"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(command, env=environment(PYTHONPATH=paths), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, two = fit_under(tf.distribute.get_strategy()), json.loads(done.stdout.splitlines()[-1])
    assert one["loss"][1] < one["loss"][0]
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, atol=1e-5, err_msg=name)
    for found in (one, two):
        assert found["evaluate"] == pytest.approx(found["bits_per_dim"], rel=1e-6)


def test_summary_and_config():
    model, _, _ = make("float32")
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{model.count_params():,}" in "\n".join(lines)
    again = Glow.from_config(model.get_config())
    assert again.config == model.config
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


@pytest.mark.parametrize("name", laws.CASES)
def test_every_layer_has_a_config(name):
    layer = laws.CASES[name].make("float32")
    config = keras.saving.serialize_keras_object(layer)
    json.dumps(config)
    again = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(again) is type(layer)
    assert keras.saving.serialize_keras_object(again) == config


def functional_model():
    """Flow layers as functional layers with several outputs; a whole Glow beside them."""
    image = keras.Input((8, 8, 1), name="image")
    x, log_det = layers.Squeeze()(image)
    x, term = layers.FlowStep(width=8, seed=1)(x)
    log_det += term
    (kept, eps), term = layers.Split()(x)
    images = keras.Input((8, 8, 1), dtype="uint8", name="images")
    top = keras.layers.Flatten()(Glow(ModelConfig(**CONFIG))(images)[-1])
    return keras.Model([image, images], [kept, eps, log_det + term, keras.layers.Dense(10)(top)])


def test_the_functional_api(tmp_path):
    model = functional_model()
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(3, 8, 8, 1)).astype("float32"), rng.integers(0, 256, (3, 8, 8, 1), np.uint8)]
    outputs = model(inputs)
    assert [tuple(v.shape) for v in outputs] == [(3, 4, 4, 2), (3, 4, 4, 2), (3,), (3, 10)]
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    for found, expected in zip(again(inputs), outputs, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.fixture
def graphviz(tmp_path, monkeypatch):
    """Graphviz, or where it is not installed a stand-in that copies its input: all is tested but the drawing."""
    if not shutil.which("dot"):
        dot = tmp_path / "bin" / "dot"
        dot.parent.mkdir()
        dot.write_text('#!/bin/sh\nfor file; do :; done\ncat "$file"\n')
        dot.chmod(0o755)
        monkeypatch.setenv("PATH", f"{dot.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize("make", [functional_model, lambda: Glow(ModelConfig(**CONFIG))])
def test_plot_model(make, graphviz, tmp_path):
    pytest.importorskip("pydot", reason="the extra `plot` is not installed")
    keras.utils.plot_model(make(), tmp_path / "m.dot", show_shapes=True, expand_nested=True, show_layer_names=True)
    text = (tmp_path / "m.dot").read_text()
    assert "Glow" in text
    keras.utils.plot_model(make(), tmp_path / "m.png", show_shapes=True)
    assert (tmp_path / "m.png").stat().st_size > 100


def test_a_global_policy_does_not_reach_the_flow():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Glow(ModelConfig(**CONFIG))
        assert {v.dtype for v in model.weights} == {"float32"}
        images, _ = images_and_labels(8)
        np.testing.assert_array_equal(model.decode(model.encode(images)), images)
    finally:
        keras.config.set_dtype_policy("float32")


def test_mixed_precision_stays_in_training():
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
        # Even here: what is rounded is no longer inverted exactly.
        latents = mixed.encode(images)
        np.testing.assert_array_equal(latents[0], full.encode(images)[0])
        np.testing.assert_array_equal(mixed.decode(latents), images)
    assert 0 < np.max(np.abs(rounded - exact)) < 0.05
    off = mixed.sample(4, seed=1, mixed=True).numpy().astype(int) - full.sample(4, seed=1)
    assert 0 < np.mean(off != 0) < 0.5


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_a_step_is_down_the_gradient_of_the_mean(scale):
    """With loss scaling too, which float16 networks may need."""
    # Made here: at the import of this file they would fix the devices, before `fit_on_two_replicas` can.
    optimizer = keras.optimizers.SGD(0.1)
    if scale:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, scale)
    images, _ = images_and_labels(8)
    model = BinMiddles(ModelConfig(**CONFIG))
    model.initialize(images)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.bits_per_dim(images))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    expected = [v - 0.1 * g for v, g in zip(model.trainable_variables, gradients, strict=True)]
    model.compile(optimizer, run_eagerly=True)
    model.train_on_batch(images)
    for found, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(found, value, atol=1e-6, err_msg=found.path)
