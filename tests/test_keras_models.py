"""Test models as Keras users describe and compose them: summaries, functional models, plots, precision."""

import dataclasses
import os
import shutil

import keras
import numpy as np
import pytest

from glow_tf import Glow, LikelihoodModel, layers
from glow_tf.config import ModelConfig
from glow_tf.layers.network import mixed_precision
from helpers.glow_models import make_glow
from helpers.keras_fit import CONFIG, images_and_labels
from helpers.marks import slow_but
from helpers.rounding import rounding_error


def test_model_summary_and_config_round_trip():
    model, _, _ = make_glow("float32")
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{model.count_params():,}" in "\n".join(lines)
    again = Glow.from_config(model.get_config())
    assert again.config == model.config
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


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


FREEZES = {
    "part of a step": lambda flow: setattr(flow[0].actnorm, "trainable", False),
    "variable": lambda flow: setattr(flow[0].actnorm.b, "trainable", False),
    "step": lambda flow: setattr(flow[0], "trainable", False),
    "flow": lambda flow: setattr(flow, "trainable", False),
    "all but one part": lambda flow: (setattr(flow, "trainable", False), setattr(flow[0].coupling, "trainable", True)),
}


@pytest.mark.parametrize("freeze", slow_but(["part of a step"], list(FREEZES)))
def test_what_is_frozen_stays_frozen_in_files_and_copies(freeze, tmp_path):
    flow = layers.FlowSequential([layers.FlowStep(width=4), layers.ActNorm()])
    inputs = keras.Input((2,))
    model = keras.Model(inputs, [*flow(inputs), keras.layers.Dense(1)(inputs)])
    FREEZES[freeze](flow)
    expected = [v.trainable for v in model.weights]
    assert not all(expected)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for copied in (loaded, keras.models.clone_model(model), keras.models.model_from_json(model.to_json())):
        assert [v.trainable for v in copied.weights] == expected
    density = LikelihoodModel.from_config(LikelihoodModel(flow).get_config())
    assert [v.trainable for v in density.weights] == [v.trainable for v in flow.weights]


def test_frozen_layer_freezes_what_it_makes_later():
    flow = layers.FlowSequential([layers.FlowStep(width=4, trainable=False), layers.ActNorm(trainable=False)])
    assert len(flow.as_bijector([2]).trainable_variables) == 0  # built here
    glow = Glow(ModelConfig(**CONFIG), trainable=False)
    assert not any(v.trainable for v in glow.weights)


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
