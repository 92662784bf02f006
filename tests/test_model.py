"""Test `Glow` over uint8 images: likelihood, latents, samples, and what it rejects."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import presets, quantization
from glow_tf.config import RunOptions
from glow_tf.data import open_source, pipeline
from glow_tf.model import Glow
from glow_tf.runs import Run
from glow_tf.training import session
from glow_tf.training.state import TrainingState
from glow_tf.training.step import TrainingStep
from helpers import layer_cases
from helpers.glow_models import SMALL, make_glow, shared_glow


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_decode_inverts_encode_exactly(bits, channels):
    model, images, _ = make_glow("float32", image_shape=(8, 12, channels), bits=bits, depth=1)
    np.testing.assert_array_equal(model.decode(model.encode(images)), quantization.quantize(images, bits))


@pytest.mark.slow
def test_float32_reconstruction_is_exact_after_training_at_k_32(tmp_path):
    """Train K=32, L=3 for 8 steps on crops of photographs; then compare bit by bit."""
    session.set_up(RunOptions(devices="cpu"))  # as train.py does: without the graph optimizer a step starts sooner
    shape = (16, 16, 3)
    experiment = presets.get("photos")
    experiment = dataclasses.replace(
        experiment,
        model=dataclasses.replace(experiment.model, image_shape=shape, depth=32, width=32),
        data=dataclasses.replace(experiment.data, fit="crop"),
        training=dataclasses.replace(experiment.training, batch_size=8, warmup_steps=4, learning_rate=2e-3),
    )
    source = open_source(experiment.data, shape)
    batches = iter(pipeline.training_batches(source, experiment.data, image_shape=shape, batch_size=8, seed=0))
    state = TrainingState(experiment, Run(tmp_path))
    state.model.initialize(next(batches)["image"], seed=1)
    step = TrainingStep(state.model, state.optimizer, state.ema, state.counters, tf.distribute.get_strategy(), 8)
    for _ in range(8):
        step(next(batches))
    assert int(state.counters.skipped.numpy()) == 0
    images = pipeline.arrays(source, "test", experiment.data, shape, 32)[0]
    reconstruct = tf.function(lambda x: state.model.decode(state.model.encode(x)), autograph=False)
    np.testing.assert_array_equal(reconstruct(images), images)


@pytest.mark.slow
def test_check_numerics_of_tensorflow_stops_at_no_number_of_a_sound_model():
    model, images, labels = make_glow("float32", image_shape=(4, 4, 1), levels=1, classes=3, recompute=True)
    weights = [v.value for v in model.trainable_variables]

    @tf.function(autograph=False)
    def gradients(labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.log_prob(images, labels, noise=0.5))
        return tape.gradient(loss, weights)

    tf.debugging.enable_check_numerics()
    try:
        assert all(np.isfinite(gradient).all() for gradient in gradients(tf.constant(labels)))
    finally:
        tf.debugging.disable_check_numerics()


def test_log_prob_matches_the_jacobian():
    model, images, _ = make_glow(image_shape=(4, 4, 1), levels=1)
    noise = np.random.default_rng(3).random(images.shape)
    x = model.dequantize(images, noise=noise)

    def encode(rows, _=None):
        return layer_cases.flatten(model.flow.encode(tf.reshape(rows, [-1, 4, 4, 1]))[0])

    rows = layer_cases.flatten(x)
    z, jacobian = encode(rows), layer_cases.jacobian(encode, rows)
    log_det = np.linalg.slogdet(jacobian.numpy())[1]
    normal = -0.5 * np.sum(z.numpy() ** 2 + np.log(2 * np.pi), 1)
    expected = normal + log_det - 16 * 8 * np.log(2)
    np.testing.assert_allclose(model.log_prob(images, noise=noise), expected, rtol=1e-10)
    bits = model.bits_per_dim(images, noise=noise)
    np.testing.assert_allclose(bits, -expected / (16 * np.log(2)), rtol=1e-10)


def test_seeded_results_repeat_and_unseeded_ones_differ():
    model, images, _ = shared_glow()
    np.testing.assert_array_equal(model.log_prob(images, seed=3), model.log_prob(images, seed=3))
    assert np.any(model.log_prob(images, seed=3) != model.log_prob(images, seed=4))
    assert np.any(model.log_prob(images) != model.log_prob(images))
    np.testing.assert_array_equal(model.sample(3, seed=(1, 2)), model.sample(3, seed=(1, 2)))
    assert np.any(model.sample(3).numpy() != model.sample(3).numpy())
    with pytest.raises(ValueError, match="inside a tf.function randomness must be given"):
        tf.function(model.log_prob, autograph=False)(images)
    with pytest.raises(ValueError, match="inside a tf.function randomness must be given"):
        tf.function(lambda: model.sample(3), autograph=False)()
    seeded = tf.function(lambda seed: model.sample_latents(3, seed=seed)[0], autograph=False)
    assert np.any(seeded(tf.constant([1, 2])).numpy() != seeded(tf.constant([1, 3])).numpy())


def test_temperature_scales_the_sampled_latents():
    model, _, _ = shared_glow()
    warm, cold = model.sample_latents(2, 1.0, seed=1), model.sample_latents(2, 0.5, seed=1)
    assert layer_cases.max_abs_diff([0.5 * e for e in warm], cold) < 1e-15
    mixed = model.sample_latents(2, [1.0, 0.0], seed=1)
    assert not np.any(mixed[0][1]) and np.all(mixed[0][0] == warm[0][0])
    frozen = model.sample(3, temperature=0.0).numpy()
    assert (frozen == frozen[0]).all()


def test_conditional_model_uses_its_labels():
    model, images, labels = shared_glow(classes=3, weight_y=0.5)
    terms = model.objective(images, labels, seed=1)
    np.testing.assert_allclose(terms["loss"], terms["bits_x"] + 0.5 * terms["bits_y"])
    assert set(np.unique(terms["error"])) <= {0, 1}
    logits = model.classify(images)
    assert logits.shape == (6, 3)
    other = model.bits_per_dim(images, (labels + 1) % 3, seed=1)
    assert np.all(np.abs(other - terms["bits_x"]) > 1e-9)
    np.testing.assert_array_equal(model.decode(model.encode(images, labels), labels), images)
    assert model.sample(2, labels=1, seed=0).shape == (2, 8, 8, 3)
    middle = model.objective(images, labels, noise=0.5)
    assert float(middle["bits_y"][0]) == pytest.approx(
        float(-tf.nn.log_softmax(logits)[0, labels[0]] / np.log(2)), rel=1e-9
    )


def test_model_rejects_invalid_images_and_labels():
    model, images, _ = shared_glow()
    with pytest.raises(TypeError, match="expected uint8 images .* got float64"):
        model.encode(images / 255)
    with pytest.raises(ValueError, match=r"expected images \[n, 8, 8, 3\], got \(6, 8, 8, 1\)"):
        model.log_prob(images[..., :1], seed=1)
    with pytest.raises(ValueError, match="unconditional and takes no labels"):
        model.sample(2, labels=1)
    with pytest.raises(ValueError, match="no classifier"):
        model.classify(images)
    conditional, images, labels = shared_glow(classes=3)
    with pytest.raises(ValueError, match="conditional on 3 classes; give labels"):
        conditional.sample(2)
    with pytest.raises(ValueError, match="expected labels from 0 to 2, got 0 to 3"):
        conditional.encode(images, [0, 1, 2, 3, 0, 0])
    with pytest.raises(TypeError, match="expected integer labels"):
        conditional.encode(images, labels / 2)


@pytest.mark.parametrize(("greatest", "is_dark"), [(1, True), (16, True), (31, True), (32, False), (255, False)])
def test_initialize_warns_of_images_that_do_not_go_from_0_to_255(greatest, is_dark):
    images = np.linspace(0, greatest, 32).round().astype(np.uint8).reshape(2, 4, 4, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        Glow(dataclasses.replace(SMALL, image_shape=(4, 4, 1), levels=1)).initialize(images, seed=0)
    sentence = f"the greatest value of these images is {greatest}; images go from 0 to 255"
    assert any(sentence in str(w.message) for w in caught) == is_dark


def test_initial_weights_repeat_and_differ_by_seed():
    one, two = Glow(SMALL), Glow(SMALL)
    other = Glow(dataclasses.replace(SMALL, init_seed=1))
    for a, b, c in zip(one.weights, two.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.any(a) or np.any(a.numpy() != c.numpy()), a.path


def test_lu_permutation_starts_at_the_plain_matrix():
    plain, lu = Glow(SMALL), Glow(dataclasses.replace(SMALL, permutation="lu"))
    for level in range(2):
        for a, b in zip(plain.flow.steps(level), lu.flow.steps(level), strict=True):
            np.testing.assert_allclose(a.permutation.matrix(), b.permutation.matrix(), atol=1e-6)


def test_exp_coupling_starts_as_the_identity_map():
    model = Glow(dataclasses.replace(SMALL, scale="exp"), dtype="float64")
    step = model.flow.steps(0)[0]
    x = tf.random.stateless_normal([2, 4, 4, 12], [1, 2], dtype="float64")
    z, log_det = step.coupling.encode(x)
    np.testing.assert_array_equal(z, x)
    np.testing.assert_array_equal(log_det, 0)


@pytest.mark.slow
def test_model_and_weights_files_round_trip(tmp_path):
    for changes in ({}, {"classes": 3, "weight_y": 0.1}, {"permutation": "shuffle"}, {"permutation": "lu"}):
        model, images, labels = make_glow("float32", depth=1, **changes)
        expected = model.bits_per_dim(images, labels, seed=1)
        model.save(tmp_path / "m.keras")
        loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
        np.testing.assert_array_equal(loaded.bits_per_dim(images, labels, seed=1), expected)
        assert loaded.config == model.config
        model.save_weights(tmp_path / "m.weights.h5")
        fresh = Glow(dataclasses.replace(model.config, init_seed=9))
        fresh.load_weights(tmp_path / "m.weights.h5")
        np.testing.assert_array_equal(fresh.bits_per_dim(images, labels, seed=1), expected)


@pytest.mark.slow
@pytest.mark.graph_optimizer
def test_shared_traces_match_the_plain_composition():
    model, images, _ = make_glow(depth=3)
    noise = np.random.default_rng(1).random(images.shape)
    weights = [v.value for v in model.trainable_variables]

    def run():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.bits_per_dim(images, noise=noise))
        return loss, tape.gradient(loss, weights), model.decode(model.encode(images))

    plain = run()
    for recompute in (False, True):
        model.flow.recompute = recompute
        graph = tf.function(run, autograph=False)()
        for a, b in zip(tf.nest.flatten(plain), tf.nest.flatten(graph), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_model_compiled_by_xla_computes_the_same():
    model, images, _ = make_glow(depth=2)
    noise = np.random.default_rng(1).random(images.shape)
    eps = model.encode(images)

    def run():
        return model.decode(eps), model.log_prob(images, noise=noise), model.encode(images), model.flow.decode(eps)[0]

    pixels, *values = run()
    compiled_pixels, *compiled_values = tf.function(run, autograph=False, jit_compile=True)()
    for a, b in zip(tf.nest.flatten(values), tf.nest.flatten(compiled_values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(compiled_pixels, pixels)


def test_graph_size_hardly_grows_with_depth():
    def nodes(depth):
        model = Glow(dataclasses.replace(SMALL, depth=depth, levels=1))
        images = np.zeros((2, 8, 8, 3), np.uint8)
        function = tf.function(lambda: model.log_prob(images, seed=1), autograph=False)
        graph = function.get_concrete_function().graph.as_graph_def()
        return len(graph.node) + sum(len(f.node_def) for f in graph.library.function)

    few, many = nodes(2), nodes(12)
    assert (many - few) / 10 < 30, "a step more is a call and its weights"


def test_describe_lists_every_level():
    model, _, _ = shared_glow(classes=3, weight_y=0.5)
    lines = model.describe().splitlines()
    assert len(lines) == 1 + 2 + 1 + 1
    assert "4x4x12" in lines[1] and "2x2x24" in lines[2]
    assert f"{model.count_params():,}" in lines[-1]
    # By hand, multiply-adds of a position: three convolutions, the 1x1 convolution; and the split's, after level 0.
    c, multiply_adds = model.config, [int(line.split()[-1].replace(",", "")) for line in (*lines[1:3], lines[-1])]
    steps = [c.depth * (9 * n // 2 * c.width + c.width**2 + 9 * c.width * n + n**2) for n in (12, 24)]
    assert multiply_adds == [16 * (steps[0] + 9 * 6 * 12), 4 * steps[1], 16 * (steps[0] + 9 * 6 * 12) + 4 * steps[1]]
    assert all(f"{c.depth} x (1x1, affine)" in line for line in lines[1:3])
    parts = [[*model.flow.steps(0), model.flow.split(0)], [*model.flow.steps(1), model.flow.prior]]
    for line, part in zip(lines[1:3], parts, strict=True):
        assert f" {sum(np.size(w) for layer in part for w in layer.weights):,} " in line


def test_encode_takes_the_middle_of_each_bin():
    model, images, _ = make_glow(bits=5)
    for middle, half in zip(model.encode(images), model.encode(images, noise=np.full(images.shape, 0.5)), strict=True):
        np.testing.assert_array_equal(middle, half)


@pytest.mark.slow
def test_error_of_logits_that_are_not_finite_is_not_finite():
    model, images, labels = make_glow("float32", classes=3, weight_y=0.1)
    assert set(np.unique(model.objective(images, labels, seed=0)["error"])) <= {0.0, 1.0}
    model.classifier.set_weights([np.full_like(w, np.nan) for w in model.classifier.get_weights()])
    assert np.isnan(model.objective(images, labels, seed=0)["error"]).all()


@pytest.mark.slow
def test_evaluate_takes_other_noise_for_each_batch_and_repeats_itself():
    model, images, _ = make_glow("float32")
    model.compile()
    alike = np.repeat(images[:1], 3, 0)
    losses = [model.evaluate(alike[:n], batch_size=1, verbose=0, return_dict=True)["loss"] for n in (1, 2, 3, 3)]
    assert len(set(losses[:3])) == 3 and losses[2] == losses[3]


@pytest.mark.slow
def test_adapters_take_validate_args():
    model, _, _ = make_glow("float32")
    assert model.as_bijector(validate_args=True).validate_args
    for discrete in (False, True):
        distribution = model.distribution(discrete=discrete, validate_args=True)
        assert distribution.validate_args and distribution.copy(validate_args=False).validate_args is False
