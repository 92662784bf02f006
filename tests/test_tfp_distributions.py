"""Test that distributions of a Glow slice, copy, draw nothing and refuse other types as TFP's own do."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from helpers import layer_cases
from helpers.glow_models import make_glow
from helpers.marks import slow_but

tfd = tfp.distributions


@pytest.fixture(scope="module")
def conditional_glow():
    glow, images, _ = make_glow(levels=1, depth=1, width=4, image_shape=(4, 4, 1), bits=4, classes=3)
    return glow, images[:3]


KINDS = {"list": {}, "flat": {"flat": True}, "discrete": {"discrete": True, "seed": (1, 2)}}
SLICES = [(slice(1, None),), (0,), (tf.newaxis,), (slice(None), tf.newaxis), (..., slice(None, None, -1))]


@pytest.mark.parametrize("kind", slow_but(["list"], KINDS))
def test_distributions_of_a_glow_slice_and_copy_as_tfps(kind, conditional_glow):
    glow, images = conditional_glow
    ours = glow.distribution(labels=[0, 1, 2], **KINDS[kind])
    theirs = tfd.Independent(tfd.Normal(tf.zeros([3, 4, 4, 1]), 1.0), 3)
    one = images[0] if kind == "discrete" else glow.dequantize(images, noise=0.5)[0]
    of_all, zero = ours.log_prob(one), tf.zeros([4, 4, 1])
    assert np.ptp(of_all) > 1e-6, "labels matter"
    for s in SLICES[:: {"list": 3, "flat": 2, "discrete": 1}[kind]]:  # a joint distribution takes a second
        sliced, reference = ours[s], theirs[s]
        assert sliced.batch_shape == reference.batch_shape and type(sliced) is type(ours)
        assert sliced.sample(2, seed=(1, 2)).shape == reference.sample(2).shape
        log_prob = sliced.log_prob(one)
        assert log_prob.shape == reference.log_prob(zero).shape
        if kind != "discrete":
            np.testing.assert_allclose(log_prob, of_all.numpy()[s], rtol=1e-9)
        elif log_prob.shape.rank < 2:  # the noise depends on the number of images
            again = glow.distribution(labels=np.arange(3)[s], **KINDS[kind])
            np.testing.assert_array_equal(log_prob, again.log_prob(one))
    assert ours.copy(name="copied").name == "copied" and ours.copy(labels=[1]).batch_shape == (1,)
    np.testing.assert_allclose(ours.copy().log_prob(one), of_all, rtol=1e-12)
    copied = copy.deepcopy(ours)
    np.testing.assert_allclose(copied.log_prob(one), of_all, rtol=1e-12)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(copied.log_prob(one))
    gradients = tape.gradient(loss, copied.trainable_variables)
    assert len(gradients) == len(ours.trainable_variables) and all(g is not None for g in gradients)
    copied.trainable_variables[0].assign_add(tf.ones_like(copied.trainable_variables[0]))
    assert np.all(copied.log_prob(one) != of_all) and np.all(ours.log_prob(one) == of_all)

    if kind == "list":
        return

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def in_a_graph(labels):
        d = glow.distribution(labels=labels, **KINDS[kind])
        return d.batch_shape_tensor(), d.log_prob(one), d[1:].log_prob(one), d.sample(2, seed=(1, 2))

    batch, log_prob, of_two, drawn = in_a_graph(tf.constant([0, 1, 2]))
    assert tuple(batch) == (3,) and of_two.shape == 2 and drawn.shape == (2, 3, 4, 4, 1)
    np.testing.assert_allclose(log_prob, of_all, rtol=1e-6)


@pytest.mark.slow
def test_empty_results_as_tfps(conditional_glow):
    """Ask for no samples, of no labels, and with no images in a graph that does not know it."""
    glow, _images = conditional_glow
    for kind, options in KINDS.items():
        d = glow.distribution(labels=[0, 1], **options)
        assert d.sample(0, seed=1).shape == (0, 2, 4, 4, 1), kind
        assert glow.distribution(labels=[], **options).sample(2, seed=1).shape == (2, 0, 4, 4, 1)
    for name in ("split", "glow"):
        case = layer_cases.CASES[name]
        layer = case.make("float32")  # whose convolution on a CPU gives no images the wrong shape
        layer.build((None, *case.shape))
        traced = tf.function(layer.encode, input_signature=[tf.TensorSpec([None, *case.shape])])
        for count in (0, 1):
            x = layer_cases.images(case, count, dtype="float32")
            for result, expected in zip(tf.nest.flatten(traced(x)), tf.nest.flatten(layer.encode(x)), strict=True):
                assert result.shape == expected.shape
                np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_arrays_of_another_type_are_refused_as_tensors_are(conditional_glow):
    glow, images = conditional_glow
    d = glow.distribution(labels=0)
    for value in (images, tf.constant(images), images.astype(bool)):
        for method in (d.log_prob, d.prob):
            with pytest.raises(TypeError):
                method(value)
    with pytest.raises(TypeError, match=r"got uint8; for uint8 images take distribution\(discrete=True\)"):
        d.log_prob(images)
    bijector = glow.flow.as_bijector(glow.image_shape, 0)
    latents = bijector.inverse(x := glow.dequantize(images, noise=0.5))
    integers = [z.numpy().astype(int) for z in latents]
    masked = np.ma.masked_array(x.numpy(), x.numpy() > 0)
    for value, name in ((images, "uint8"), (tf.constant(images), "uint8"), (masked, "masked")):
        for method in (bijector.inverse, lambda v: bijector.inverse_log_det_jacobian(v, 3)):
            with pytest.raises(TypeError, match=name):
                method(value)
    for method in (bijector.forward, lambda v: bijector.forward_log_det_jacobian(v, [3] * len(v))):
        with pytest.raises(TypeError, match="got int64; cast numbers"):
            method(integers)
    np.testing.assert_allclose(bijector.inverse(x.numpy().astype(float))[0], latents[0], atol=1e-5)  # as TFP casts it

    class ForeignArray:
        """An array of another library, with a type of its own."""

        def __init__(self, array):
            self.array, self.dtype, self.shape = array, object(), array.shape

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.array, dtype)

    np.testing.assert_array_equal(bijector.inverse(ForeignArray(x.numpy()))[0], latents[0])
    assert d.log_prob(ForeignArray(x.numpy())).shape == len(images)
    for method in (bijector.inverse, d.log_prob):
        with pytest.raises(TypeError, match="got uint8"):
            method(ForeignArray(images))
    np.testing.assert_allclose(d.log_prob(x.numpy().astype(np.float32)), d.log_prob(x), rtol=1e-3)
