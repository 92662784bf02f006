"""Compare our model with the original, array by array (tests/parity/README.md has the tolerances)."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import quantization
from glow_tf.convert.openai_glow import original_names
from glow_tf.model import Glow
from helpers.golden import FORWARD_CASES, TRAINING_CASES, assert_close, case, load_variables

FORWARD, GRADIENT, DECODE = 1e-5, 5e-5, 2e-4
TEMPERATURE_CASES = ("case1_affine_1x1", "case5_affine_1x1_ycond")


@pytest.fixture(params=FORWARD_CASES, scope="module")
def golden(request):
    return case(request.param)


@pytest.fixture(scope="module")
def model(golden):
    return golden.model()


def check_images(golden, model, x, prefix):
    """Compare decoded floats and bytes; the bytes of the stored floats exactly, ours up to a level at bin edges."""
    assert_close(x, golden[f"{prefix}/x_float"], DECODE, prefix)
    stored = golden[f"{prefix}/x_uint8"]
    np.testing.assert_array_equal(quantization.to_uint8(golden[f"{prefix}/x_float"], model.config.bits), stored)
    difference = np.abs(quantization.to_uint8(x, model.config.bits).numpy().astype(int) - stored)
    assert difference.max() <= 256 // quantization.levels(model.config.bits)
    assert np.mean(difference > 0) <= 0.005


@pytest.mark.parametrize("name", FORWARD_CASES + TRAINING_CASES)
def test_variable_names_and_order_match_the_original(name):
    golden = case(name)
    prefix = "var/" if name in FORWARD_CASES else "start/var/"
    model = golden.model(prefix)
    trainable = [n for n, v in original_names(model).items() if v.trainable]
    assert trainable == golden.trainable_names
    assert {id(v) for v in original_names(model).values()} == {id(v) for v in model.weights}


def test_objective_matches_the_original(golden, model):
    terms = model.objective(golden["x"], golden.labels, noise=golden.noise)
    assert_close(terms["bits_x"], golden["bits_x"], FORWARD, "bits_x")
    # The stored objective is derived from bits_x, which the original rounds to float32.
    assert_close(terms["log_prob"], golden["objective"], FORWARD, "objective")
    assert_close(terms["loss"], golden["local_loss"], FORWARD, "local_loss")
    if golden.labels is not None:
        assert_close(terms["bits_y"], golden["bits_y"], FORWARD, "bits_y")
        np.testing.assert_array_equal(terms["error"], golden["classification_error"])


def test_latents_match_the_original(golden, model):
    x = model.dequantize(golden["x"], noise=golden.noise)
    assert_close(x, golden["fwd/z_in"], FORWARD, "preprocessed")
    *latents, top = model.flow.encode_to_top(x)[0]
    assert_close(top, golden["fwd/z_top"], FORWARD, "z_top")
    for i, (eps, stored) in enumerate(zip(latents, golden.eps(), strict=False)):
        assert_close(eps, stored, FORWARD, f"eps {i}")
    eps = model.encode(golden["x"], golden.labels, noise=golden.noise)
    assert_close(eps[-1], golden.eps()[-1], FORWARD, "top eps")


def test_log_det_after_every_step_matches_the_original(golden, model):
    x, total = golden["fwd/z_in"], 0.0
    for level in range(model.config.levels):
        x, _ = model.flow.squeeze(level).encode(x)
        if level == 0 and "fwd/squeezed" in golden:
            np.testing.assert_array_equal(x, golden["fwd/squeezed"])
        for k, step in enumerate(model.flow.steps(level)):
            x, log_det = step.encode(x)
            total += log_det
            assert_close(total, golden[f"fwd/step_{level}_{k}_logdet"], FORWARD, f"level {level}, step {k}")
            if f"fwd/step_{level}_{k}_z" in golden:
                assert_close(x, golden[f"fwd/step_{level}_{k}_z"], FORWARD, f"output of level {level}, step {k}")
        if model.flow.split(level):
            (x, eps), log_det = model.flow.split(level).encode(x)
            log_p = log_det - 0.5 * tf.reduce_sum(eps**2 + np.log(2 * np.pi), [1, 2, 3])
            assert_close(log_p, golden[f"fwd/logp_split_{level}"], FORWARD, f"log p of split {level}")
    assert_close(total, golden["fwd/logdet"], FORWARD, "total")


def test_classifier_logits_match_the_original(golden, model):
    if golden.labels is None:
        with pytest.raises(ValueError, match="no classifier"):
            model.classify(golden["x"])
    else:
        assert_close(model.classify(golden["x"], noise=golden.noise), golden["fwd/y_logits"], FORWARD, "logits")


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_match_the_original(golden, model, recompute):
    if recompute:
        model = golden.model(recompute=True)
    weights = {n: v.value for n, v in original_names(model).items() if v.trainable}
    with tf.GradientTape(persistent=golden.labels is not None) as tape:
        terms = model.objective(golden["x"], golden.labels, noise=golden.noise)
        bits_x, loss = tf.reduce_mean(terms["bits_x"]), tf.reduce_mean(terms["loss"])
    without_path = set(golden.names("grad_none_names"))
    for name, gradient in tape.gradient(bits_x, weights).items():
        if name in without_path:
            assert gradient is None
        else:
            assert_close(gradient, golden[f"grad/{name}"], GRADIENT, name)
    if golden.labels is not None:
        for name, gradient in tape.gradient(loss, weights).items():
            assert_close(gradient, golden[f"grad_local_loss/{name}"], GRADIENT, name)


def test_decoded_latents_match_the_original(golden, model):
    check_images(golden, model, model.flow.decode(golden.eps(), golden.labels)[0], "decoded")


def test_decoded_samples_match_the_original(golden, model):
    check_images(golden, model, model.flow.decode(golden.eps("sample/eps"), golden.labels)[0], "sample")


@pytest.mark.parametrize("name", TEMPERATURE_CASES)
def test_temperature_per_image_matches_the_original(name):
    golden = case(name)
    model = golden.model()
    temperature = golden["temperature/eps_std"][:, None, None, None]
    eps = [temperature * normal for normal in golden.eps("temperature/normal")]
    check_images(golden, model, model.flow.decode(eps, golden.labels)[0], "temperature")


def test_initialization_from_data_matches_the_original(golden):
    """Start from the original's initial weights; check the actnorms and the model's numbers."""
    ddi = golden.ddi
    model = Glow(golden.config)
    load_variables(model, ddi, "var/")
    check_initialization(golden, model, "var/")
    terms = model.objective(**batch(golden))
    assert_close(terms["bits_x"], ddi["bits_x"], FORWARD, "bits_x")
    top = model.flow.encode_to_top(model.dequantize(ddi["x"], noise=batch(golden)["noise"]))[0][-1]
    assert_close(top, ddi["z_top"], FORWARD, "z_top")


def test_initialization_of_randomized_weights_matches_the_original(golden):
    """Use couplings that are not the identity, so that the order in which actnorms are initialized matters."""
    ddi = golden.ddi
    model = golden.model()
    check_initialization(golden, model, "second/var/")
    terms = model.objective(**batch(golden))
    assert_close(terms["bits_x"], ddi["second/bits_x"], FORWARD, "bits_x")
    assert_close(tf.reduce_mean(terms["loss"]), ddi["second/loss"], FORWARD, "loss")


def batch(golden):
    ddi = golden.ddi
    return dict(
        images=ddi["x"],
        labels=ddi["y"] if golden.labels is not None else None,
        noise=ddi["noise"] * np.float32(golden.hps["n_bins"]),
    )


def check_initialization(golden, model, prefix):
    actnorms = {n: v for n, v in original_names(model).items() if "actnorm" in n}
    for variable in actnorms.values():
        variable.assign(tf.ones_like(variable.value))  # any value: it must not matter
    model.initialize(**batch(golden))
    for name, variable in actnorms.items():
        # A centered input gives a bias that is zero but for rounding, hence the absolute part.
        np.testing.assert_allclose(variable.numpy(), golden.ddi[prefix + name], rtol=2e-5, atol=1e-6, err_msg=name)
