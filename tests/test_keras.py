"""`compile`, `fit`, `evaluate`, callbacks, summaries: what Keras users expect of a model."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from test_model import make
from training.commands import ROOT, environment

from glow_tf import Glow, layers
from glow_tf.config import ModelConfig
from glow_tf.training.optimizers import Adamax

CONFIG = dict(image_shape=(8, 8, 1), bits=4, levels=2, depth=1, width=8)


def images_and_labels(n=64):
    from glow_tf.config import DataConfig
    from glow_tf.data import open_source, pipeline

    config = DataConfig("bundled:digits")
    return pipeline.arrays(open_source(config, (8, 8, 1)), "train", config, (8, 8, 1), n)[:2]


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
    assert (tmp_path / "log.csv").read_text().count("\n") == 4
    loaded = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.encode(images)[-1], model.encode(images)[-1], atol=1e-5)


def test_fit_with_labels():
    images, labels = images_and_labels()
    model = Glow(ModelConfig(**CONFIG, classes=10, weight_y=0.1))
    model.initialize(images, labels, seed=1)
    model.compile("adam")
    history = model.fit(images, labels, batch_size=16, verbose=0).history
    assert set(history) == {"loss", "bits_x", "bits_y", "error"}
    assert history["loss"][0] == pytest.approx(history["bits_x"][0] + 0.1 * history["bits_y"][0], rel=1e-5)


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


REPLICAS = """
import json, sys
import tensorflow as tf
count = int(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])
sys.path[:0] = [".", "tests"]
from test_keras import CONFIG, Glow, ModelConfig, images_and_labels
import keras, numpy as np
images, _ = images_and_labels()
with strategy.scope():
    model = Glow(ModelConfig(**CONFIG))
    model.initialize(images, seed=1)
    model.compile(keras.optimizers.SGD(0.05))
# Every image twice, so that the noise, which is a replica's own, hardly matters: the images themselves are constant.
data = tf.data.Dataset.from_tensor_slices(images).batch(32)
history = model.fit(data, epochs=2, verbose=0).history
print(json.dumps([history["loss"], float(sum(np.abs(v.numpy()).sum() for v in model.trainable_variables))]))
"""


@pytest.mark.slow
def test_fit_under_mirrored_strategy():
    """The loss and the gradient are those of one replica: not multiplied by the number of replicas."""
    found = []
    for count in (1, 2):
        command = [sys.executable, "-c", REPLICAS, str(count)]
        done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    (one, norm_one), (two, norm_two) = found
    assert two == pytest.approx(one, rel=2e-2)
    assert norm_two == pytest.approx(norm_one, rel=1e-3)
    assert abs(norm_one - norm_two) < 0.1


def test_summary_and_config():
    model, _, _ = make("float32")
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{model.count_params():,}" in "\n".join(lines)
    again = Glow.from_config(model.get_config())
    assert again.config == model.config
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


def test_the_functional_api():
    images = keras.Input((8, 8, 1), dtype="float32")
    z, log_det = layers.FlowStep(width=8, seed=1)(layers.Squeeze()(images)[0])
    model = keras.Model(images, [z, log_det])
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")
    z, log_det = model(x)
    assert z.shape == (3, 4, 4, 4) and log_det.shape == (3,)
    glow = Glow(ModelConfig(**CONFIG))
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    top = keras.layers.Flatten()(glow(inputs)[-1])
    classifier = keras.Model(inputs, keras.layers.Dense(10)(top))
    assert classifier(np.zeros((2, 8, 8, 1), np.uint8)).shape == (2, 10)


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
    full = Glow(ModelConfig(**CONFIG))
    mixed = Glow(ModelConfig(**CONFIG, network_dtype="bfloat16"))
    rng = np.random.default_rng(0)
    for a, b in zip(full.trainable_variables, mixed.trainable_variables, strict=True):
        a.assign_add(0.05 * rng.normal(size=a.shape))
        b.assign(a)
    np.testing.assert_array_equal(mixed.encode(images)[0], full.encode(images)[0])
    np.testing.assert_array_equal(mixed.log_prob(images, seed=1), full.log_prob(images, seed=1))
    np.testing.assert_array_equal(mixed.sample(4, seed=1), full.sample(4, seed=1))
    from glow_tf.layers.network import mixed_precision

    with mixed_precision():
        rounded, exact = mixed.bits_per_dim(images, seed=1), full.bits_per_dim(images, seed=1)
    assert 0 < np.max(np.abs(rounded - exact)) < 0.05
