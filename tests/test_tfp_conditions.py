"""Compare our bijectors and distributions with TFP's own of the same shapes: each expected answer is computed there.

A question is a function of a bijector or a distribution, asked of ours and of TFP's.
"""

import copy
import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import layers
from helpers import layer_cases
from helpers.bijector_cases import copy_tensors, normal, shared_bijector
from helpers.glow_models import make_glow

tfb, tfd = tfp.bijectors, tfp.distributions
DOUBLE = "float64"


def dynamic_graph(function, *dtypes):
    """Make the graph of a function that knows neither sizes nor ranks."""
    signature = [tf.TensorSpec(None, dtype) for dtype in dtypes]
    return tf.function(lambda *values: function(*values), input_signature=signature, autograph=False)


def dynamic(function, *values):
    """Run a function in a graph that knows neither sizes nor ranks."""
    return dynamic_graph(function, *(tf.as_dtype(np.asarray(v).dtype) for v in values))(*values)


def shape_of(function, *arguments):
    """Return the shape of a result as a tuple, or the class of the error."""
    try:
        return tuple(function(*arguments).shape)
    except (ValueError, TypeError, NotImplementedError, tf.errors.InvalidArgumentError) as error:
        return ValueError if isinstance(error, tf.errors.InvalidArgumentError) else type(error)


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


def affine(layer, shape):
    """Make TFP's bijector of the same affine map of vectors, from latents to data."""
    zero, eye = tf.zeros([1, *shape], layer.dtype), tf.eye(shape[0], dtype=layer.dtype)
    shift = layer.decode(zero)[0]
    matrix = tf.transpose(layer.decode(eye)[0] - shift)
    return tfb.Chain([tfb.Shift(shift[0]), tfb.ScaleMatvecLinearOperator(tf.linalg.LinearOperatorFullMatrix(matrix))])


def test_affine_layers_have_the_moments_of_tfps():
    """A constant Jacobian gives entropy, mean, mode and covariance; a permutation gives standard deviations too."""
    base = tfd.MultivariateNormalDiag(tf.range(5, dtype=tf.float64), tf.range(1, 6, dtype=tf.float64))
    for name in ("actnorm of vectors", "conv1x1 of vectors", "conv1x1 lu of vectors", "reverse"):
        case, layer, bijector = shared_bijector(name)
        assert bijector.is_constant_jacobian
        ours, theirs = (tfd.TransformedDistribution(base, b) for b in (bijector, affine(layer, case.shape)))
        for question in ("entropy", "mean", "mode", "covariance"):
            np.testing.assert_allclose(
                getattr(ours, question)(), getattr(theirs, question)(), atol=1e-9, err_msg=question
            )
    reverse = tfd.TransformedDistribution(base, tfb.Permute([4, 3, 2, 1, 0]))
    np.testing.assert_array_equal(ours.stddev(), reverse.stddev())
    chain = shared_bijector("sequential")[2]
    assert chain.is_constant_jacobian and not chain._is_permutation
    for name in ("squeeze", "shuffle"):
        assert shared_bijector(name)[2]._is_permutation
    for name in ("prior", "prior conditional"):
        assert shared_bijector(name)[2].is_constant_jacobian
    for name in ("additive of vectors", "affine of vectors", "split", "glow", "glow flat"):
        assert not shared_bijector(name)[2].is_constant_jacobian
    _, layer, bijector = shared_bijector("additive of vectors")
    with pytest.raises(NotImplementedError):  # a constant determinant alone is none: TFP would map the mean
        tfd.TransformedDistribution(normal((6,)), bijector).mean()


def gradients_of(bijector, x):
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(bijector.inverse_log_det_jacobian(x)) + tf.reduce_sum(bijector.inverse(x) ** 2)
    return value, tape.gradient(value, bijector.trainable_variables)


def test_copies_share_or_own_their_weights_as_tfps_do():
    case, _layer, bijector = shared_bijector("step 1x1 affine")
    x = layer_cases.images(case)
    value, _ = gradients_of(bijector, x)
    theirs = tfb.Scale(tf.Variable(2.0))
    for b in (bijector, theirs):
        shared, own = b.copy(name="copied"), copy.deepcopy(b)
        assert shared.name == "copied" and shared != b and b.copy() == b and hash(b.copy()) == hash(b)
        assert own != b
        assert {id(v) for v in shared.trainable_variables} == {id(v) for v in b.trainable_variables}
        assert not {id(v) for v in own.trainable_variables} & {id(v) for v in b.trainable_variables}
        assert len(own.trainable_variables) == len(b.trainable_variables)
    own = copy.deepcopy(bijector)
    copied_value, gradients = gradients_of(own, x)
    assert copied_value == value and all(g is not None for g in gradients)
    own.trainable_variables[0].assign_add(tf.ones_like(own.trainable_variables[0]))
    assert gradients_of(own, x)[0] != value and gradients_of(bijector, x)[0] == value
    assert {id(v) for v in own.trainable_variables} == {id(v.value) for v in own.layer.trainable_variables}


@pytest.fixture(scope="module")
def conditional_glow():
    glow, images, _ = make_glow(levels=1, depth=1, width=4, image_shape=(4, 4, 1), bits=4, classes=3)
    return glow, images[:3]


KINDS = {"list": {}, "flat": {"flat": True}, "discrete": {"discrete": True, "seed": (1, 2)}}
SLICES = [(slice(1, None),), (0,), (tf.newaxis,), (slice(None), tf.newaxis), (..., slice(None, None, -1))]


@pytest.mark.parametrize("kind", KINDS)
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
    with pytest.raises(ValueError, match="expected a shape of at least 1 event axes"):
        layers.ActNorm().encode(tf.constant(1.0))


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


def test_validate_args_finds_values_that_are_not_finite_in_a_graph():
    layer = layers.ActNorm(dtype=DOUBLE)
    bijector, x = layer.as_bijector([2], validate_args=True), np.array([[1.0, np.nan]])
    assert np.isnan(layer.as_bijector([2]).inverse(x)).any() and bijector.validate_args
    with pytest.raises(tf.errors.InvalidArgumentError, match="inverse: expected finite values"):
        tf.function(bijector.inverse)(x)
    np.testing.assert_array_equal(bijector.forward(copy_tensors(tf.ones([1, 2], DOUBLE))), 1)
