"""Test flows whose coupling networks are the user's own: shared traces, state, files and errors."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import GlowFlow, LikelihoodModel, bijectors, layers
from glow_tf.errors import ConfigError
from glow_tf.layers import multiscale, shared_steps
from glow_tf.layers.keras_contract import in_training
from glow_tf.layers.own_networks import reason_not_to_share
from helpers import layer_cases
from helpers.layer_cases import CASES, residual_network, residual_network_64
from helpers.marks import slow_but


def convolutions(filters, *between, activation="tanh"):
    first = keras.layers.Conv2D(4, 3, padding="same", activation=activation, dtype="float64")
    return keras.Sequential([first, *between, keras.layers.Conv2D(filters, 1, dtype="float64")])


def functional(filters):
    x = keras.Input((None, None, filters // 2), dtype="float64")
    h = keras.layers.Conv2D(4, 1, activation="tanh", dtype="float64")(x)
    return keras.Model(x, keras.layers.Conv2D(filters, 1, dtype="float64")(h))


@keras.saving.register_keras_serializable("tests")
def network_with_state(filters):
    between = keras.layers.BatchNormalization(dtype="float64"), keras.layers.Dropout(0.5, dtype="float64")
    return convolutions(filters, *between)


class Scaled(keras.layers.Layer):
    """Multiply by 2 in training."""

    def call(self, x, training=False):
        return 2 * x if training else x


class WithLoss(keras.layers.Layer):
    def call(self, x):
        self.add_loss(tf.reduce_sum(x))
        return x


class Noisy(keras.layers.Layer):
    def call(self, x):
        return x + keras.random.normal((1,), dtype="float64")


def unequal_networks():
    activations = iter(["tanh", "relu"] * 8)
    return lambda filters: convolutions(filters, activation=next(activations))


def make_flow(network, **options):
    flow = layers.MultiScale(levels=1, depth=2, seed=5, network=network, dtype="float64", **options)
    flow.build((None, 4, 4, 1))
    layer_cases.perturb(flow.trainable_variables, np.random.default_rng(0))
    return flow


def batch(n=3):
    return tf.constant(np.random.default_rng(1).normal(size=(n, 4, 4, 1)))


def values_and_gradients(flow, x, training=None):
    """Return the values and gradients of `encode`, and the values of `decode`, by the methods of the flow."""
    weights = [variable.value for variable in flow.trainable_variables]
    with tf.GradientTape() as tape:
        with in_training(flow, training):
            (z,), log_det = flow.encode(x)
        loss = tf.reduce_sum(tf.square(z)) - tf.reduce_sum(log_det)
    return [z, log_det, flow.decode([z])[0], *tape.gradient(loss, weights)]


MAKERS = {
    "sequential": convolutions,
    "functional": functional,
    "residual": residual_network_64,
    "unequal": unequal_networks(),
    "other in training": lambda filters: convolutions(filters, Scaled(dtype="float64")),
}


RUNS = [run for run in itertools.product(MAKERS, [None, True], [False, True]) if run[::2] != ("unequal", True)]
QUICK = [("residual", None, True), ("unequal", None, False), ("other in training", True, False)]


@pytest.mark.parametrize("run", slow_but(QUICK, RUNS), ids=str)
def test_graph_matches_the_plain_composition(run, monkeypatch):
    name, training, recompute = run
    flow, x = make_flow(MAKERS[name], recompute=recompute), batch()
    traced = []
    call = shared_steps._call_with_values
    monkeypatch.setattr(shared_steps, "_call_with_values", lambda *args: traced.append(args[1]) or call(*args))
    in_graph = tf.function(lambda x: values_and_gradients(flow, x, training))(x)
    assert bool(traced) == (name != "unequal")
    eager = values_and_gradients(flow, x, training) if recompute else []
    run_plainly = lambda steps, method, x, *_: shared_steps.run_steps_plainly(steps, method, x)  # noqa: E731
    monkeypatch.setattr(multiscale, "run_steps", run_plainly)
    plain = values_and_gradients(flow, x, training)
    for result in (in_graph, eager) if recompute else (in_graph,):
        for one, other in zip(result, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_traces_of_training_are_not_used_in_inference():
    flow, x = make_flow(MAKERS["other in training"]), batch()
    for training in (True, None, False):
        with in_training(flow, training):
            expected = shared_steps.run_steps_plainly(flow.steps(0), "encode", flow.squeeze(0).encode(x)[0])
            result = tf.function(flow.encode)(x)
        np.testing.assert_allclose(result[1], expected[1], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("training", [None, True])
def test_compiled_loop_matches_the_plain_composition(training):
    flow, x = make_flow(MAKERS["other in training"]), batch()
    compiled = tf.function(lambda x: values_and_gradients(flow, x, training), jit_compile=True)(x)
    for one, other in zip(compiled, values_and_gradients(flow, x, training), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)


def test_networks_share_a_trace_only_if_they_are_equal_but_for_their_weights():
    def reason(*networks):
        for network in networks:
            network.build((None, 4, 4, 2))
        return reason_not_to_share(networks)

    assert reason(convolutions(4), convolutions(4)) == reason(functional(4), functional(4)) == ""
    assert reason(residual_network(4), residual_network(4)) == ""
    assert "differ from step" in reason(convolutions(4), convolutions(4, activation="relu"))
    named = [keras.Sequential([keras.layers.Dense(4, activation=name, name=name)]) for name in ("tanh", "relu")]
    assert "differ from step" in reason(*named), "names of layers are names nowhere else"
    assert "differ from step" in reason(convolutions(4), functional(4))
    assert "have state" in reason(network_with_state(4), network_with_state(4))
    frozen = convolutions(4)
    frozen.trainable = False
    assert reason(convolutions(4), frozen) == ""

    def scaled(scale):
        def activation(x):
            return scale * x

        return keras.Sequential([keras.layers.Dense(4, activation=activation)])

    assert "no configuration" in reason(scaled(1), scaled(2))

    class Rated(keras.layers.Dense):
        def __init__(self, rate):
            super().__init__(4)
            self.rate = lambda x: rate * x

        def get_config(self):
            raise NotImplementedError

    assert "no configuration" in reason(Rated(1), Rated(2))


def test_networks_with_state_train_in_graphs_as_in_eager_code():
    x = batch(8).numpy()
    for eagerly in (False, True):
        model = LikelihoodModel(make_flow(network_with_state))
        normalization, dropout = model.flow.step_0_1.coupling.network.layers[1:3]
        states = np.array(dropout.seed_generator.state)
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=eagerly)
        model.fit(x, batch_size=8, verbose=0)
        assert np.any(normalization.moving_mean), "updates were not lost"
        assert not np.array_equal(dropout.seed_generator.state, states), "random numbers were drawn"
    flow = model.flow
    with in_training(flow):
        encode = tf.function(lambda x: flow.encode(x)[1])
        assert np.any(encode(x) != encode(x)), "other values are dropped in each call"
    z, log_det = flow.encode(x)
    np.testing.assert_allclose(tf.function(flow.encode)(x)[1], log_det, rtol=1e-9)
    np.testing.assert_allclose(flow.decode(z)[0], x, atol=1e-9)


@pytest.mark.parametrize("network", [network_with_state, unequal_networks()])
def test_networks_that_cannot_share_a_trace_are_not_recomputed(network):
    flow = make_flow(network, recompute=True)
    for encode in (flow.encode, tf.function(flow.encode)):
        with pytest.raises(ValueError, match=r"step_0_0: the coupling networks .*; make the flow with recompute=False"):
            encode(batch())


@pytest.mark.parametrize("layer", [WithLoss, Noisy])
def test_what_a_shared_trace_would_lose_is_refused(layer):
    flow = make_flow(lambda filters: convolutions(filters, layer(dtype="float64")))
    with pytest.raises(ValueError, match="the coupling network adds a loss, .* or changes a variable"):
        tf.function(flow.encode)(batch())


@pytest.mark.slow
def test_training_step_equals_that_of_the_plain_composition(monkeypatch):
    x, weights = batch(8).numpy(), []
    for run in (shared_steps.run_steps, lambda *args: shared_steps.run_steps_plainly(*args[:3])):
        monkeypatch.setattr(multiscale, "run_steps", run)
        model = LikelihoodModel(make_flow(convolutions))
        model.flow.set_weights(weights[0] if weights else model.flow.get_weights())
        weights.append(model.flow.get_weights())
        model.compile(keras.optimizers.SGD(1e-2))
        model.fit(x, batch_size=8, verbose=0)
        weights.append(model.flow.get_weights())
    start, shared, _, plain = weights
    for one, other in zip(shared, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert any(np.any(before != after) for before, after in zip(start, shared, strict=True))


@pytest.mark.slow
def test_model_with_networks_of_ones_own_is_fitted_saved_and_loaded(tmp_path):
    model = LikelihoodModel(GlowFlow(levels=2, depth=2, network=residual_network, seed=0))
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")
    model.initialize(x)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert loaded.flow.network is residual_network
    np.testing.assert_array_equal(loaded.log_prob(x), model.log_prob(x))
    loaded.fit(x, batch_size=4, verbose=0)
    assert model.sample(2, seed=0).shape == (2, 8, 8, 1)
    assert keras.models.clone_model(loaded).flow.network is residual_network


def test_file_names_the_function_that_makes_the_networks(tmp_path):
    model = LikelihoodModel(make_flow(residual_network_64))
    assert model.flow.get_config()["network"] == "tests>residual_network_64"
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.flow.network is residual_network_64
    np.testing.assert_array_equal(loaded.log_prob(batch()), model.log_prob(batch()))
    coupling = keras.saving.serialize_keras_object(model.flow.step_0_0.coupling)
    assert type(keras.saving.deserialize_keras_object(coupling).network) is layer_cases.ResidualNetwork


def test_networks_are_made_for_each_coupling_and_initialized_from_data():
    made = []

    class Network(keras.layers.Conv2D):
        def initialize(self, x):
            made.append(x.shape[-1])
            return self(x)

    flow = layers.MultiScale(levels=2, depth=1, network=lambda filters: made.append(filters) or Network(filters, 1))
    flow.initialize(tf.ones([2, 4, 4, 1]))
    assert made == [4, 8, 2, 4]
    vectors = layers.FlowStep(network=lambda filters: keras.layers.Dense(filters), coupling="additive")
    assert vectors.encode(tf.ones([2, 6]))[0].shape == [2, 6] and vectors.coupling.network.units == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda network, **k: bijectors.FlowStep(network=network, event_shape=(4, 4, 4), **k),
        lambda network, **k: bijectors.MultiScale(1, 1, network=network, event_shape=(4, 4, 1), **k),
        lambda network, **k: bijectors.Glow((4, 4, 1), 1, 1, network=network, **k),
    ],
    ids=["step", "levels", "glow"],
)
def test_bijectors_take_networks_of_ones_own(make):
    bijector = make(residual_network, seed=0)
    x = tf.ones([2, 4, 4, 4] if isinstance(bijector, bijectors.FlowStep) else [2, 4, 4, 1])
    np.testing.assert_allclose(bijector.forward(bijector.inverse(x)), x, atol=1e-5)
    kinds = [type(layer) for layer in bijector.layer._flatten_layers()]
    assert layer_cases.ResidualNetwork in kinds and layers.CouplingNetwork not in kinds
    assert layers.CouplingNetwork in [type(layer) for layer in bijector.copy(network=None).layer._flatten_layers()]
    with pytest.raises(ValueError, match="width and network_dtype would have no effect on a network of your own"):
        make(residual_network, width=8, network_dtype="bfloat16")


def test_errors_of_networks_say_what_to_give():
    options = dict(levels=1, depth=1)
    with pytest.raises(
        TypeError, match=r"a function network\(filters\) that makes a Keras layer, as each .* the layer mine"
    ):
        GlowFlow(network=keras.Sequential(name="mine"), **options)
    with pytest.raises(TypeError, match=r"a function network\(filters\) that makes a Keras layer, got 3"):
        layers.FlowStep(network=3)
    flow = GlowFlow(network=lambda filters: None, name="flow", **options)
    with pytest.raises(TypeError, match=r"coupling: expected network\(4\) to return a Keras layer, got None"):
        flow.build((None, 4, 4, 1))
    with pytest.raises(
        ConfigError, match="flow: its network is a function, which a file can name only if it is registered"
    ):
        flow.get_config()
    with pytest.raises(ConfigError, match="flow: .* made by the function 'mine>network', which Keras"):
        GlowFlow.from_config({**GlowFlow(name="flow", **options).get_config(), "network": "mine>network"})
    with pytest.raises(ValueError, match="the network must give 4 channels"):
        GlowFlow(network=lambda filters: keras.layers.Conv2D(3, 1), **options).encode(tf.ones([1, 4, 4, 1]))


def test_case_of_a_flow_has_the_networks():
    flow = CASES["glow of your networks"].make()
    assert "network=residual_network_64" in repr(flow) and flow.step_0_0.network is residual_network_64
