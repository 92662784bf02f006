"""Test the laws that every flow layer obeys, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import LikelihoodModel, layers
from glow_tf.layers.tensors import map_latents
from helpers import layer_cases
from helpers.layer_cases import CASES, ONE_OF_EACH_CLASS

every_layer = pytest.mark.parametrize("name", CASES)


def entries_that_act(variable):
    """Mark the entries of a weight that have an effect; the others have no gradient by construction."""
    acts = np.ones(variable.shape, bool)
    if variable.path.endswith("/L"):
        return np.tril(acts, -1)
    if variable.path.endswith("/U"):
        return np.triu(acts, 1)
    if "prior" in variable.path and variable.path.endswith("conv/W"):
        acts[:, :, :-1] = False  # the prior's convolution sees zeros and the edge markers,
        acts[1, 1] = False  # and its center sees no edge
    return acts


@every_layer
def test_encode_and_decode_are_inverses(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    x, labels = layer_cases.images(case, seed=1), layer_cases.labels(case)
    z, log_det = layer.encode(x, labels)
    reconstruction, inverse_log_det = layer.decode(z, labels)
    assert layer_cases.max_abs_diff(reconstruction, x) < 1e-10
    assert layer_cases.max_abs_diff([inverse_log_det[:, None]], [-log_det[:, None]]) < 1e-10
    rng = np.random.default_rng(2)
    z = map_latents(lambda v: tf.constant(rng.normal(size=v.shape)), z)
    again, _ = layer.encode(layer.decode(z, labels)[0], labels)
    assert layer_cases.max_abs_diff(again, z) < 1e-10


@every_layer
@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_log_det_matches_the_jacobian_of_every_layer(name, direction):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    labels = layer_cases.labels(case, 2)
    value = layer_cases.images(case, 2, seed=3)
    if direction == "decode":
        value = layer.encode(value, labels)[0]
    sizes = [v.shape[1:] for v in (value if isinstance(value, list) else [value])]

    def run(rows, labels):
        parts = tf.split(rows, [s.num_elements() for s in sizes], axis=-1)
        parts = [tf.reshape(p, [-1, *s]) for p, s in zip(parts, sizes, strict=True)]
        result, log_det = getattr(layer, direction)(parts if isinstance(value, list) else parts[0], labels)
        return layer_cases.flatten(result), log_det

    rows = layer_cases.flatten(value)
    jacobian = layer_cases.jacobian(lambda *inputs: run(*inputs)[0], rows, labels)
    expected = np.linalg.slogdet(jacobian.numpy())[1]
    np.testing.assert_allclose(run(rows, labels)[1], expected, atol=1e-8)


@every_layer
def test_every_weight_has_a_gradient(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    if not layer.trainable_variables:
        assert name in ("shuffle", "reverse", "squeeze", "prior fixed")
        return
    weights = [v.value for v in layer.trainable_variables]
    rng = np.random.default_rng(5)
    with tf.GradientTape() as tape:
        z, log_det = layer.encode(layer_cases.images(case, seed=1), layer_cases.labels(case))
        z = layer_cases.flatten(z)
        loss = tf.reduce_sum(tf.square(z) * rng.uniform(0.5, 1.5, z.shape)) - tf.reduce_sum(log_det)
    for variable, gradient in zip(layer.trainable_variables, tape.gradient(loss, weights), strict=True):
        assert gradient is not None, variable.path
        gradient = gradient.numpy()
        assert np.isfinite(gradient).all(), variable.path
        acts = entries_that_act(variable)
        assert np.mean(gradient[acts] != 0) > 0.5, variable.path
        assert not gradient[~acts].any(), variable.path


@every_layer
def test_initialization_normalizes_the_first_batch(name):
    case = CASES[name]
    layer = case.make()
    layer.build((None, *case.shape))
    x, labels = layer_cases.images(case, 64, seed=4), layer_cases.labels(case, 64)
    batch = tf.reshape(x, [4, 16, *case.shape])  # any leading dimensions
    z = layer.initialize(batch, None if labels is None else tf.reshape(labels, [4, 16]))
    z = map_latents(lambda v: tf.reshape(v, [64, *v.shape[2:]]), z)
    assert layer_cases.max_abs_diff(z, layer.encode(x, labels)[0]) < 1e-10
    if name.startswith("actnorm"):
        axes = tuple(range(len(case.shape)))
        np.testing.assert_allclose(np.mean(z, axes), 0, atol=1e-12)
        np.testing.assert_allclose(np.var(z, axes), 1, atol=1e-5)


def test_initialization_normalizes_every_actnorm_of_a_flow(monkeypatch):
    case = CASES["multiscale"]
    layer = case.make()
    x = layer_cases.images(case, 64)
    layer.initialize(x)
    seen = []
    encode = layers.ActNorm._encode

    def recorded(self, x, condition=None):
        z, log_det = encode(self, x, condition)
        seen.append((np.mean(z, (0, 1, 2)), np.var(z, (0, 1, 2))))
        return z, log_det

    # Part by part, so that what each actnorm gives is seen.
    monkeypatch.setattr(layers.ActNorm, "_encode", recorded)
    monkeypatch.setattr(layers.CouplingNetwork, "call", layers.CouplingNetwork.reference_call)
    monkeypatch.setattr(layers.FlowStep, "_encode", lambda self, x, condition=None: self.reference_encode(x))
    layer.encode(x)
    assert len(seen) == 3 * 4, "one a step and two in its network"
    for mean, variance in seen:
        np.testing.assert_allclose(mean, 0, atol=1e-10)
        np.testing.assert_allclose(variance, 1, atol=1e-3)


@every_layer
def test_layer_accepts_any_leading_dimensions(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    x, labels = layer_cases.images(case, 6, seed=1), layer_cases.labels(case, 6)
    z, log_det = layer.encode(x, labels)
    for lead in ([1], [2, 3], []):
        count = int(np.prod(lead))
        part_labels = None if labels is None else tf.reshape(labels[:count], lead)
        part, term = layer.encode(tf.reshape(x[:count], [*lead, *case.shape]), part_labels)
        assert term.shape == lead
        np.testing.assert_allclose(tf.reshape(term, [-1]), log_det[:count], atol=1e-10)
        reconstruction = layer.decode(part, part_labels)[0]
        assert reconstruction.shape == [*lead, *case.shape]
        np.testing.assert_allclose(tf.reshape(reconstruction, [count, -1]), layer_cases.flatten(x[:count]), atol=1e-10)
    assert layer.encoded_shape(case.shape) == map_latents(lambda v: tuple(v.shape[1:]), z)
    assert tuple(layer.decoded_shape(layer.encoded_shape(case.shape))) == case.shape


@every_layer
def test_config_and_checkpoint_restore_the_layer(name, tmp_path):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    twin = type(layer).from_config(layer.get_config())
    x, labels = layer_cases.images(case, seed=1), layer_cases.labels(case)
    twin.encode(x, labels)  # builds it
    tf.train.Checkpoint(layer=layer).write(str(tmp_path / "c"))
    tf.train.Checkpoint(layer=twin).read(str(tmp_path / "c")).assert_existing_objects_matched()
    assert layer_cases.max_abs_diff(twin.encode(x, labels)[0], layer.encode(x, labels)[0]) == 0
    assert twin.get_config() == layer.get_config() and twin.name == layer.name


@pytest.mark.parametrize("name", ONE_OF_EACH_CLASS)
def test_keras_file_restores_the_layer(name, tmp_path):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    x, labels = layer_cases.images(case, seed=1), layer_cases.labels(case)
    value = keras.Input(case.shape, dtype=layer_cases.DTYPE)
    condition = keras.Input((), dtype="int32") if case.labels else None
    inputs = [value, condition] if case.labels else [value]
    z, log_det = layer(*inputs)
    model = keras.Model(inputs, [*(z if isinstance(z, list) else [z]), log_det])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    arguments = [x, labels] if case.labels else [x]
    *z, log_det = loaded(arguments)
    expected, expected_log_det = layer.encode(x, labels)
    assert layer_cases.max_abs_diff(z, expected) == 0
    np.testing.assert_array_equal(log_det, expected_log_det)
    model.save_weights(tmp_path / "m.weights.h5")
    for weight in loaded.weights:
        weight.assign(tf.zeros_like(weight))
    loaded.load_weights(tmp_path / "m.weights.h5")
    for weight, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


XLA_PARTS = [name for name in CASES if name.split()[0] not in ("step", "multiscale", "glow")]
XLA_CASES = [
    *XLA_PARTS,
    *("step 1x1 affine", "step lu additive", "multiscale recomputed", "glow conditional"),
]
"""XLA takes seconds for every flow step, and the parts of the others are cases of their own."""


@pytest.mark.graph_optimizer
@pytest.mark.parametrize(
    ("name", "jit"),
    [*((name, False) for name in CASES), *(pytest.param(name, True, marks=pytest.mark.slow) for name in XLA_CASES)],
)
def test_graph_and_xla_match_eager_execution(name, jit):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    x, labels = layer_cases.images(case, seed=1), layer_cases.labels(case)
    weights = tuple(v.value for v in layer.trainable_variables)

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            z, log_det = layer.encode(x, labels)
            loss = tf.reduce_sum(layer_cases.flatten(z) ** 2) - tf.reduce_sum(log_det)
        gradients = tape.gradient(loss, (x, *weights))
        return z, log_det, layer.decode(z, labels)[0], gradients

    plain, compiled = run(x), tf.function(run, jit_compile=jit)(x)
    for a, b in zip(tf.nest.flatten(plain), tf.nest.flatten(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


@every_layer
def test_layer_rejects_wrong_types_and_shapes(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    labels = layer_cases.labels(case)
    with pytest.raises(TypeError, match=r"expected float64, got float32"):
        layer.encode(tf.zeros([4, *case.shape]), labels)
    with pytest.raises(ValueError, match=r"expected shape .*got"):
        layer.encode(tf.zeros([4, *case.shape[:-1], case.shape[-1] + 2], layer_cases.DTYPE), labels)
    with pytest.raises(ValueError, match=r"computes in float32 or float64, got dtype='bfloat16'"):
        case.make("bfloat16")


@every_layer
def test_layer_that_takes_no_condition_refuses_one(name):
    case, layer = CASES[name], layer_cases.shared_layer(name)
    assert layer.takes_condition == (case.labels > 0)
    if case.labels:
        return
    x, condition = layer_cases.images(case), tf.zeros([4], tf.int32)
    z = layer.encode(x)[0]
    bijector = layer.as_bijector(case.shape)
    calls = [
        (layer.encode, x),
        (layer.decode, z),
        (layer.initialize, x),
        (layer, x),
        (LikelihoodModel(layer).log_prob, x),
        (LikelihoodModel(layer).sample, 4, 1.0),
        (LikelihoodModel(layer).initialize, x),
    ]
    for method, *arguments in calls:
        with pytest.raises(ValueError, match="unconditional and takes no labels, got a condition"):
            method(*arguments, condition)
    for method, value in ((bijector.forward, z), (bijector.inverse, x), (bijector.inverse_log_det_jacobian, x)):
        with pytest.raises(ValueError, match="unconditional and takes no labels, got a condition"):
            method(value, condition=condition)
    with pytest.raises(ValueError, match="unconditional and takes no labels, got a condition"):
        layer.as_bijector(case.shape, condition)


def test_condition_reaches_the_parts_of_a_chain_that_take_one():
    class Shifted(layers.FlowLayer):
        takes_condition = True

        def _encode(self, x, condition=None):
            return x + tf.cast(condition[:, None], x.dtype), tf.zeros(tf.shape(x)[:1], x.dtype)

        def _decode(self, z, condition=None):
            return z - tf.cast(condition[:, None], z.dtype), tf.zeros(tf.shape(z)[:1], z.dtype)

    chain = layers.FlowSequential([layers.Reverse(), layers.FlowSequential([Shifted(), layers.ActNorm()])])
    assert LikelihoodModel(chain).conditional
    x, labels = tf.ones([3, 2]), [1, 2, 3]
    assert chain.encode(x, labels)[0].numpy().tolist() == [[2, 2], [3, 3], [4, 4]]
    np.testing.assert_array_equal(chain.decode(chain.encode(x, labels)[0], labels)[0], x)
    np.testing.assert_allclose(chain.initialize(x, labels)[:, 0], [-1.2247, 0, 1.2247], atol=1e-4)


@every_layer
def test_float32_layer_is_invertible(name):
    case = CASES[name]
    layer = layer_cases.randomized_layer(case, "float32")
    x, labels = layer_cases.images(case, seed=1, dtype="float32"), layer_cases.labels(case)
    z, log_det = layer.encode(x, labels)
    assert log_det.dtype == tf.float32
    assert layer_cases.max_abs_diff(layer.decode(z, labels)[0], x) < 1e-4
