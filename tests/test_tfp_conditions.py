"""Test labels as a batch parameter of a bijector, beside TFP's own bijector with one, and the conditions of calls."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from helpers import layer_cases
from helpers.bijector_cases import normal

tfb, tfd = tfp.bijectors, tfp.distributions
DOUBLE = "float64"


def shape_of(function, *arguments):
    """Return the shape of a result as a tuple, or the class of the error."""
    try:
        return tuple(function(*arguments).shape)
    except (ValueError, TypeError, NotImplementedError, tf.errors.InvalidArgumentError) as error:
        return ValueError if isinstance(error, tf.errors.InvalidArgumentError) else type(error)


IMAGE = (4, 4, 1)


@functools.cache
def conditional_flow():
    flow = layers.GlowFlow(levels=1, depth=1, width=2, seed=0, classes=3, permutation="reverse", dtype=DOUBLE)
    flow.build((None, *IMAGE))
    layer_cases.perturb(flow.trainable_variables, np.random.default_rng(0))
    return flow


def conditional(labels):
    """Make the bijector of a conditional flow of general weights, flat, with these labels."""
    return layers.FlatFlow(conditional_flow()).as_bijector(IMAGE, labels)


def reference(labels):
    """Make TFP's map of the same shapes whose batch parameter has the shape of the labels."""
    shift = tf.cast(labels, tf.float64)[..., None]
    return tfb.Chain([tfb.Reshape(IMAGE, (16,)), tfb.Shift(shift)])


X = np.random.default_rng(0).normal(size=(2, 3, *IMAGE))
BATCH_QUESTIONS = {
    "batch shape": lambda td: tf.zeros(td.batch_shape),
    "batch shape in a graph": lambda td: tf.zeros(td.batch_shape_tensor()),
    "one sample": lambda td: td.sample(seed=(1, 2)),
    "as many samples as labels": lambda td: td.sample(3, seed=(1, 2)),
    "other samples": lambda td: td.sample((2, 1), seed=(1, 2)),
    "no samples": lambda td: td.sample(0, seed=(1, 2)),
    "log_prob of one": lambda td: td.log_prob(X[0, 0]),
    "log_prob of three": lambda td: td.log_prob(X[0]),
    "log_prob of two times three": lambda td: td.log_prob(X),
    "log_prob of two times one": lambda td: td.log_prob(X[:, :1]),
    "sample and log_prob": lambda td: td.experimental_sample_and_log_prob(2, seed=(1, 2))[1],
    "slice": lambda td: td[1:].log_prob(X[0, 0]),
    "slice of a slice": lambda td: td[1:][..., ::-1].sample(seed=(1, 2)),
    "element": lambda td: td[0].log_prob(X[0, 0]),
    "new axis in front": lambda td: td[tf.newaxis].sample(seed=(1, 2)),
    "new axis behind": lambda td: td[..., tf.newaxis].log_prob(X[0]),
    "copy": lambda td: td.copy(name="copied").log_prob(X[0, 0]),
    "Sample": lambda td: tfd.Sample(td, 2).log_prob(X[:, 0]),
    "BatchBroadcast": lambda td: tfd.BatchBroadcast(td, [2, 3]).sample(seed=(1, 2)),
    "Independent": lambda td: tfd.Independent(td, 1).log_prob(X[0]),
}
"""Functions of a distribution that are asked of ours and of TFP's."""


@pytest.mark.slow
@pytest.mark.parametrize("labels", [[0, 1, 2], [[1], [2]]], ids=["three", "two by one"])
def test_labels_are_a_batch_parameter_as_the_shift_of_tfp(labels):
    """Ask a distribution over an unbatched base, whose batch shape is that of the bijector's parameter."""
    ours, theirs = (
        tfd.TransformedDistribution(normal((16,)), make(tf.constant(labels))) for make in (conditional, reference)
    )
    answers = {name: [shape_of(ask, td) for td in (ours, theirs)] for name, ask in BATCH_QUESTIONS.items()}
    assert {n: a for n, (a, _) in answers.items()} == {n: b for n, (_, b) in answers.items()}
    assert ours.bijector.experimental_batch_shape() == theirs.bijector.experimental_batch_shape()
    for slices in ((slice(1, None),), (0,)):
        assert shape_of(lambda b, s=slices: tf.zeros(b[s].experimental_batch_shape()), ours.bijector) == shape_of(
            lambda b, s=slices: tf.zeros(b[s].experimental_batch_shape()), theirs.bijector
        )


@pytest.mark.slow
def test_number_of_labels_that_only_a_graph_knows():
    def shapes(make):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
        def ask(labels):
            td = tfd.TransformedDistribution(normal((16,)), make(labels))
            return td.batch_shape_tensor(), td.sample(2, seed=(1, 2))

        return [tuple(v.shape) if v.dtype != tf.int32 else tuple(v.numpy()) for v in ask(tf.constant([0, 1, 2]))]

    assert shapes(conditional) == shapes(reference)


def test_values_of_sliced_labels_are_those_of_the_layer():
    td = tfd.TransformedDistribution(normal((16,)), conditional([0, 1, 2]))
    layer = td.bijector.layer
    by_hand = []
    for label in (0, 1, 2):
        z, log_det = layer.encode(X[0], label)
        by_hand.append(normal((16,)).log_prob(z) + log_det)
    by_hand = np.stack(by_hand, 1)  # [image, label]
    assert np.ptp(by_hand, axis=1).min() > 1e-6, "labels matter"
    np.testing.assert_allclose(td.log_prob(X[0][:, None]), by_hand, rtol=1e-9)
    np.testing.assert_allclose(td[1:].log_prob(X[0][:, None]), by_hand[:, 1:], rtol=1e-9)
    np.testing.assert_allclose(td[2].log_prob(X[0]), by_hand[:, 2], rtol=1e-9)
    shares = tf.constant([0.2, 0.3, 0.5], tf.float64)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=shares), td)
    np.testing.assert_allclose(mixture.log_prob(X[0]), np.logaddexp.reduce(by_hand + np.log(shares), 1), rtol=1e-9)
    labels = tf.Variable([0, 1, 2])
    td = tfd.TransformedDistribution(normal((16,)), conditional(labels))
    labels.assign([2, 1, 0])
    np.testing.assert_allclose(td.log_prob(X[0][:, None]), by_hand[:, ::-1], rtol=1e-9)


def test_tfp_does_not_broadcast_a_joint_base_with_the_batch_shape_of_a_bijector():
    """Document TFP: over a joint distribution both have one sample per label, and fail for another number."""
    ours = tfd.TransformedDistribution(
        tfd.JointDistributionSequential([normal((2, 2, 4))]), conditional_flow().as_bijector(IMAGE, [0, 1, 2])
    )
    shift = tfb.JointMap([tfb.Shift(tf.zeros([3, 1, 1, 1], tf.float64))])
    theirs = tfd.TransformedDistribution(ours.distribution, tfb.Chain([tfb.Invert(tfb.Split(1)), shift]))
    assert ours.batch_shape == theirs.batch_shape == (3,)
    for n in (3, 2):
        answers = [shape_of(lambda td, n=n: td.sample(n, seed=(1, 2)), td) for td in (ours, theirs)]
        assert [a if a is ValueError else a[:-3] for a in answers] == [(3,) if n == 3 else ValueError] * 2


@pytest.mark.slow
def test_condition_of_a_call_acts_and_an_unknown_keyword_raises():
    bijector, x = conditional(0), X[0]
    z = bijector.inverse(x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'conditon'"):
        tfb.Shift(1.0).inverse(1.0, conditon=2)
    for keywords, message in (
        ({"conditon": 2}, "got conditon. Did you mean condition"),
        (dict(condition=1, labels=1), "one"),
    ):
        for method, value in (("inverse", x), ("forward", z)):
            with pytest.raises(TypeError, match=message):
                getattr(bijector, method)(value, **keywords)
            with pytest.raises(TypeError, match=message):
                getattr(bijector, f"{method}_log_det_jacobian")(value, **keywords)
    other = conditional(2)
    for keyword in ("condition", "labels"):
        np.testing.assert_array_equal(bijector.inverse(x, **{keyword: 2}), other.inverse(x))
        np.testing.assert_array_equal(bijector.forward(z, **{keyword: 2}), other.forward(z))
    np.testing.assert_array_equal(bijector.inverse_log_det_jacobian(x, condition=2), other.inverse_log_det_jacobian(x))
    of = {b: tfd.TransformedDistribution(normal((16,)), b) for b in (bijector, other)}
    for label in (2, [2, 2, 2], tf.constant([2, 2, 2])):
        kwargs = {"condition": label}
        np.testing.assert_array_equal(of[bijector].log_prob(x, bijector_kwargs=kwargs), of[other].log_prob(x))
    with pytest.raises(TypeError, match="got nonsense"):
        of[bijector].log_prob(x, bijector_kwargs={"nonsense": 1})

    @tf.function
    def in_a_graph():
        """The log-determinant of one condition is not that of another."""
        value = tf.constant(x)
        bijector.inverse(value, condition=1)
        log_det = bijector.inverse_log_det_jacobian(value, condition=2)
        return log_det, tfb.Chain([bijector]).inverse(value, **{bijector.name: dict(condition=2)})

    log_det, chained = in_a_graph()
    np.testing.assert_allclose(log_det, other.inverse_log_det_jacobian(x), rtol=1e-12)
    np.testing.assert_allclose(chained, other.inverse(x), rtol=1e-12)
