"""Test `glow_tf.bijectors`: bijectors over layers of their own, and couplings by functions and on vectors."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import glow_tf
from glow_tf import bijectors, layers
from helpers import layer_cases
from helpers.bijector_cases import copy_tensors

tfb, tfd = tfp.bijectors, tfp.distributions
VECTOR, IMAGE = dict(event_shape=[4]), dict(event_shape=(4, 4, 2))
CASES = {
    "actnorm": (lambda **k: bijectors.ActNorm(**VECTOR, **k), layers.ActNorm),
    "actnorm of images": (lambda **k: bijectors.ActNorm(**k), layers.ActNorm),
    "conv1x1": (lambda **k: bijectors.InvertibleConv1x1(lu=True, seed=1, **VECTOR, **k), layers.InvertibleConv1x1),
    "shuffle": (lambda **k: bijectors.Shuffle(seed=1, **VECTOR, **k), layers.Shuffle),
    "reverse": (lambda **k: bijectors.Reverse(**VECTOR, **k), layers.Reverse),
    "coupling": (lambda **k: bijectors.Coupling("additive", width=8, **IMAGE, **k), layers.Coupling),
    "step of vectors": (lambda **k: bijectors.FlowStep(width=8, seed=1, **VECTOR, **k), layers.FlowStep),
    "squeeze": (lambda **k: bijectors.Squeeze(**k), layers.Squeeze),
    "split": (lambda **k: bijectors.Split(**k), layers.Split),
    "multiscale": (lambda **k: bijectors.MultiScale(1, 1, width=4, seed=1, **k), layers.MultiScale),
    "glow": (lambda **k: bijectors.Glow((4, 4, 2), 1, 1, width=4, seed=1, **k), layers.FlatFlow),
    "glow list": (lambda **k: bijectors.Glow((4, 4, 2), 1, 1, width=4, seed=1, flat=False, **k), layers.GlowFlow),
}
"""A bijector, and the class of its layer."""


@pytest.mark.parametrize("name", CASES)
def test_every_bijector_has_a_layer_of_its_own(name):
    make, layer_class = CASES[name]
    bijector = make(dtype="float64", validate_args=True, name="mine")
    assert isinstance(bijector, tfb.Bijector) and type(bijector.layer) is layer_class
    assert (bijector.name, bijector.dtype, bijector.validate_args) == ("mine", tf.float64, True)
    assert make().layer is not make().layer and type(bijector).__name__ in repr(bijector)
    shape = (4,) if bijector.inverse_min_event_ndims == 1 else (4, 4, 2)
    x = tf.constant(np.random.default_rng(0).normal(size=(3, *shape)))
    z = bijector.inverse(x)
    expected, log_det = bijector.layer.as_bijector().inverse(x), bijector.layer.encode(x)[1]
    assert layer_cases.max_abs_diff(z, expected) == 0
    assert layer_cases.max_abs_diff(bijector.forward(copy_tensors(z)), x) < 1e-10
    np.testing.assert_array_equal(bijector.inverse_log_det_jacobian(x), log_det)
    assert {id(v) for v in bijector.trainable_variables} == {id(v.value) for v in bijector.layer.trainable_variables}
    same, other = bijector.copy(name="other"), bijector.copy(dtype="float32")
    assert same.layer is bijector.layer and same.name == "other" and same.validate_args
    assert other.layer is not bijector.layer and other.dtype == tf.float32
    own = copy.deepcopy(bijector)
    assert type(own) is type(bijector) and own.layer is not bijector.layer
    assert layer_cases.max_abs_diff(own.inverse(x), z) == 0
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        make(nonsense=1)


def test_glow_is_used_as_tfps():
    """Run the example of `tfb.Glow`, and its conditional form."""
    assert glow_tf.bijectors is bijectors
    glow, theirs = (
        bijectors.Glow((4, 4, 1), 1, 1, width=4),
        tfb.Glow((4, 4, 1), 1, 1, lambda _: lambda x: x, use_actnorm=False),
    )
    assert glow.forward_min_event_ndims == theirs.forward_min_event_ndims == 1
    z_shape = glow.inverse_event_shape((4, 4, 1))
    assert z_shape == theirs.inverse_event_shape((4, 4, 1))
    images = glow(tfd.Sample(tfd.Normal(0.0, 1.0), z_shape))
    x = images.sample([2, 3], seed=1)
    assert x.shape == (2, 3, 4, 4, 1) and images.log_prob(x).shape == (2, 3)
    conditional = bijectors.Glow((4, 4, 1), 1, 1, width=4, classes=3, labels=[0, 1, 2])
    td = conditional(tfd.Sample(tfd.Normal(0.0, 1.0), z_shape))
    assert td.batch_shape == (3,) and td[1:].sample(2, seed=1).shape == (2, 2, 4, 4, 1)
    assert td.bijector[1:].layer is conditional.layer and list(td[1:].bijector.labels) == [1, 2]
    free = bijectors.Glow((4, 4, 1), 1, 1, classes=3, layer=conditional.layer)
    np.testing.assert_array_equal(free.inverse(x[0], condition=[0, 1, 2]), conditional.inverse(x[0]))
    adapted = conditional.layer.as_bijector()
    for bijector, labels in ((conditional, None), (free, [0, 1, 2]), (adapted, [0, 1, 2])):
        z = bijector.initialize(x[0], labels)
        np.testing.assert_allclose(conditional.inverse(x[0]), z, atol=1e-5)
    for make, message in (
        (lambda: free.inverse(x), "conditional on 3 classes"),
        (lambda: bijectors.Glow((4, 4, 1), 1, 1, classes=3, labels=[3]), "expected labels from 0 to 2"),
        (lambda: bijectors.Glow((4, 4, 1), 1, 1, labels=0), "takes no labels"),
        (lambda: bijectors.ActNorm(event_shape=[2], layer=layers.ActNorm(event_ndims=3)), "event shape of 3 axes"),
        (lambda: bijectors.ActNorm(event_shape=()), "event shape of 1 axis or more"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_chain_is_a_sequence_and_composes_as_tfps():
    parts = [
        bijectors.ActNorm(event_shape=4),
        bijectors.FlowStep(width=4, seed=1, **VECTOR),
        bijectors.Coupling(width=4, **VECTOR),
    ]
    chain, theirs = bijectors.Chain(parts), tfb.Chain(parts)
    x = tf.random.stateless_normal([5, 4], [1, 2])
    layer_cases.perturb(chain.layer.trainable_variables, np.random.default_rng(0))
    np.testing.assert_allclose(chain.inverse(x), theirs.inverse(x), rtol=1e-5)
    np.testing.assert_allclose(chain.inverse_log_det_jacobian(x), theirs.inverse_log_det_jacobian(x), rtol=1e-5)
    assert {id(v) for v in chain.trainable_variables} == {id(v) for v in theirs.trainable_variables}
    for sequence, items in ((chain, parts), (chain.layer, [b.layer for b in parts])):
        assert len(sequence) == 3 and list(sequence) == items and sequence[-1] is items[-1]
        assert type(sequence[1:]) is type(sequence) and list(sequence[1:]) == items[1:] and sequence[3:]
        with pytest.raises(IndexError):
            sequence[3]
    assert list(chain.copy(name="other")) == parts and chain.copy(name="other").layer is chain.layer
    nested = bijectors.Chain([chain, bijectors.Reverse(**VECTOR)], name="nested")
    for own in (copy.deepcopy(nested), pickle.loads(pickle.dumps(nested))):
        np.testing.assert_array_equal(own[0].inverse(x), chain.inverse(x))
        assert own.bijectors[0][1].layer is own.layer[0][1] and own[0].layer is not chain.layer
        assert len(own.trainable_variables) == len(chain.trainable_variables) and own.name == "nested"
    images = bijectors.Chain([bijectors.ActNorm(), bijectors.Split()])  # built by the first call
    images.inverse(tf.ones([1, 4, 4, 2]))
    assert len(images.trainable_variables) == 5 and len(images[0].trainable_variables) == 2
    with pytest.raises(TypeError, match="expected flow bijectors without labels.*tfb.Chain takes any"):
        bijectors.Chain([tfb.Exp()])
    with pytest.raises(ValueError, match="has 3 event axes, the chain has 1"):
        bijectors.Chain([parts[0], bijectors.ActNorm()])


def half(z):
    return tf.reshape(tf.stack([z, 0.5 * z], -1), [-1, 4])


@keras.saving.register_keras_serializable("tests")
def registered(z):
    return half(z)


def test_coupling_takes_a_function():
    """Compare with `tfb.RealNVP` of the same function, whose first half is passed on too."""
    x = tf.random.stateless_normal([5, 4], [1, 2])
    coupling = bijectors.Coupling(scale="exp", network=half, event_shape=[4])
    # TFP maps latents to data by `x * scale + shift`; ours maps data to latents so.
    nvp = tfb.Invert(tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=lambda z, _: (z, 0.5 * z)))
    for method in ("forward", "inverse", "inverse_log_det_jacobian"):
        np.testing.assert_allclose(getattr(coupling, method)(x), getattr(nvp, method)(x), rtol=1e-5)
    with pytest.raises(ValueError, match="network is a function, which a file can name only if it is registered"):
        coupling.layer.get_config()
    layer = layers.Coupling(network=registered)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.testing.assert_array_equal(again.encode(x)[0], layer.encode(x)[0])
    for network, message in (
        (lambda z: (z, z), r"expected one tensor .* got a tuple of 2"),
        (tf.Module(), "expected as network a Keras layer or a function, got the tf.Module Module"),
        (keras.layers.Dense, "got the class Dense; make one"),
        (3, "got 3"),
    ):
        with pytest.raises(TypeError, match=message):
            layers.Coupling(network=network).encode(x)


def test_default_network_of_vectors():
    x = tf.random.stateless_normal([5, 4], [1, 2])
    layer = layers.Coupling(width=8, seed=1)
    z, _ = layer.encode(x)
    np.testing.assert_allclose(z[:, 2:], x[:, 2:] * tf.sigmoid(2.0), rtol=1e-6)
    layer_cases.perturb(layer.trainable_variables, np.random.default_rng(0))
    again = layers.Coupling.from_config(layer.get_config())
    again.build((None, 4))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again.encode(x)[0], layer.encode(x)[0])
    assert len(layer.trainable_variables) == 7 and isinstance(layer.network, layers.DenseNetwork)
    np.testing.assert_allclose(layer.decode(layer.encode(x)[0])[0], x, atol=1e-5)
    first, second = (layers.Coupling(width=8, seed=1) for _ in range(2))
    for layer in (first, second):
        layer.build((None, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))
    for options, value, message in (
        (dict(network_dtype="bfloat16"), x, "network_dtype is for images"),
        (dict(event_ndims=2), tf.ones([1, 3, 4]), "default networks are for images .* and vectors"),
    ):
        with pytest.raises(ValueError, match=message):
            layers.Coupling(**options).encode(value)
