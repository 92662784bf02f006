"""Test that shapes of events are those of TFP's bijectors, also of more axes and of unknown sizes and ranks."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from helpers import layer_cases
from helpers.bijector_cases import normal

tfb, tfd = tfp.bijectors, tfp.distributions
DOUBLE = "float64"


def dynamic_graph(function, *dtypes):
    """Make the graph of a function that knows neither sizes nor ranks."""
    signature = [tf.TensorSpec(None, dtype) for dtype in dtypes]
    return tf.function(lambda *values: function(*values), input_signature=signature, autograph=False)


def dynamic(function, *values):
    """Run a function in a graph that knows neither sizes nor ranks."""
    return dynamic_graph(function, *(tf.as_dtype(np.asarray(v).dtype) for v in values))(*values)


def flat_ours():
    flow = layers.GlowFlow(levels=1, depth=1, width=4, seed=0, dtype=DOUBLE)
    return layers.FlatFlow(flow).as_bijector((4, 4, 1))


SHAPES = {
    "squeeze": (lambda: layers.Squeeze(dtype=DOUBLE).as_bijector((4, 4, 1)), lambda: tfb.Reshape((4, 4, 1), (2, 2, 4))),
    "flat": (flat_ours, lambda: tfb.Reshape((4, 4, 1), (16,))),
    "actnorm": (lambda: layers.ActNorm(dtype=DOUBLE).as_bijector((4, 4, 2)), lambda: tfb.Reshape((4, 4, 2), (4, 4, 2))),
    "split": (
        lambda: layers.Split(dtype=DOUBLE).as_bijector((4, 4, 4)),
        lambda: tfb.Invert(tfb.Split([2, 2], axis=-1)),
    ),
}
"""Our bijector, and one of TFP's that makes the same change of shape."""


@pytest.mark.parametrize("name", SHAPES)
def test_event_shapes_are_those_of_tfp(name):
    """Ask for event shapes with more axes, of unknown size and rank, as tensors, and for a base of more event axes."""
    ours, theirs = (make() for make in SHAPES[name])
    image = {"squeeze": (4, 4, 1), "flat": (4, 4, 1), "actnorm": (4, 4, 2), "split": (4, 4, 4)}[name]
    is_list = isinstance(ours.forward_min_event_ndims, list)
    latents = [tuple(s) for s in tf.nest.flatten(theirs.inverse_event_shape(image))]

    def pack(shapes):
        return list(shapes) if is_list else shapes[0]

    for b in (ours, theirs):
        inverse_shapes = dynamic_graph(b.inverse_event_shape_tensor, tf.int32)
        forward_shape = dynamic_graph(
            lambda *s, b=b: b.forward_event_shape_tensor(pack(s)), *(tf.int32 for _ in latents)
        )
        for lead in ((), (3,), (2, 3)):
            assert b.forward_event_shape(pack([(*lead, *s) for s in latents])) == (*lead, *image)
            assert tf.nest.flatten(b.inverse_event_shape((*lead, *image))) == [(*lead, *s) for s in latents]
            shapes = tf.nest.flatten(inverse_shapes(np.int32([*lead, *image])))
            assert [tuple(s) for s in shapes] == [(*lead, *s) for s in latents]
            assert tuple(forward_shape(*(np.int32([*lead, *s]) for s in latents))) == (*lead, *image)
    for unknown in (tf.TensorShape(None), tf.TensorShape([None, *image])):
        # TFP's Split knows the rank of its axis alone.
        assert tf.nest.map_structure(str, ours.inverse_event_shape(unknown)) == tf.nest.map_structure(
            str, theirs.inverse_event_shape(unknown)
        )
    assert ours.forward_event_shape(pack([tf.TensorShape(None) for _ in latents])).rank is None
    with pytest.raises(ValueError, match="event axes, got"):
        ours.inverse_event_shape(image[1:])

    x = layer_cases.images(layer_cases.Case(None, image), 3)
    log_probs = []
    for more in ((), (3,)):
        bases = [normal((*more, *s)) for s in latents]
        base = tfd.JointDistributionSequential(bases) if is_list else bases[0]
        td, reference = (tfd.TransformedDistribution(base, b) for b in (ours, theirs))
        log_probs.append(td.log_prob(x))
        assert td.event_shape == reference.event_shape and td.batch_shape == reference.batch_shape
        assert log_probs[-1].shape == reference.log_prob(x).shape
        assert td.sample(2, seed=(1, 2)).shape == reference.sample(2, seed=(1, 2)).shape
    np.testing.assert_allclose(log_probs[1], tf.reduce_sum(log_probs[0]), rtol=1e-9)


@pytest.mark.slow
def test_tensor_of_unknown_rank_is_computed_as_tfps_is():
    ours, theirs = flat_ours(), tfb.Reshape((4, 4, 1), (16,))
    x = layer_cases.images(layer_cases.Case(None, (4, 4, 1)), 6)
    for b in (ours, theirs):
        td = tfd.TransformedDistribution(normal((16,)), b)
        traced = tf.function(td.log_prob, input_signature=[tf.TensorSpec(None, tf.float64)])
        for value in (x, tf.reshape(x, [2, 3, 4, 4, 1]), x[0]):
            np.testing.assert_allclose(traced(value), td.log_prob(value), rtol=1e-9)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected shape \[..., 4, 4, 1\]"):
        dynamic(ours.inverse, np.zeros([2, 8, 2, 1]))
    sizes_unknown = layers.ActNorm(dtype=DOUBLE)
    sizes_unknown.build((None, None, 4, 1))
    with pytest.raises(ValueError, match=r"expected shape \[..., None, 4, 1\] .* got <unknown>"):
        dynamic(lambda x: sizes_unknown.encode(x)[0], np.zeros([2, 4, 4, 1]))
    with pytest.raises(ValueError, match="expected a tensor of known rank in the first call"):
        dynamic(lambda x: layers.ActNorm(dtype=DOUBLE).encode(x)[0], np.zeros([2, 3]))


def test_call_and_encode_settle_the_same_event_axes():
    for shape in ((3,), (2, 3), (2, 4, 3), (2, 4, 4, 3), (2, 2, 4, 4, 3)):
        x, called, encoded = tf.ones(shape), layers.ActNorm(), layers.ActNorm()
        assert called(x)[1].shape == encoded.encode(x)[1].shape == shape[: -encoded.event_ndims]
        assert called.event_ndims == encoded.event_ndims and called.event_shape == encoded.event_shape
    with pytest.raises(ValueError, match="expected a shape of at least 1 event axis"):
        layers.ActNorm().encode(tf.constant(1.0))
