"""Test that parts without a `build` of their own have weights, and keep those of a file, before the first call."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import LikelihoodModel
from glow_tf.layers import ActNorm, Coupling, FlowLayer, FlowSequential
from helpers.marks import slow_but

VECTORS = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


@keras.saving.register_keras_serializable("tests")
class Network(keras.layers.Layer):
    """A network as most users write one: two layers, and no `build`."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden, self.last = keras.layers.Dense(8, "relu"), keras.layers.Dense(units)

    def call(self, x):
        return self.last(self.hidden(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class NetworkModel(keras.Model):
    """The same as a model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.last = keras.layers.Dense(8, "relu"), keras.layers.Dense(4)

    def call(self, x):
        return self.last(self.hidden(x))


@keras.saving.register_keras_serializable("tests")
class WithNetwork(FlowLayer):
    """A flow layer whose author does not build its network."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.network = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(2)])

    def _shift(self, x, condition):
        z1, z2 = tf.split(x, 2, -1)
        return z1, z2, self.network(z1)

    def _encode(self, x, condition=None):
        z1, z2, shift = self._shift(x, condition)
        return tf.concat([z1, z2 + shift], -1), tf.zeros(tf.shape(x)[:1])

    def _decode(self, z, condition=None):
        z1, z2, shift = self._shift(z, condition)
        return tf.concat([z1, z2 - shift], -1), tf.zeros(tf.shape(z)[:1])


@keras.saving.register_keras_serializable("tests")
class WithLabels(WithNetwork):
    """A flow layer that cannot be called without labels."""

    takes_condition = True

    def _shift(self, x, condition):
        z1, z2 = tf.split(x, 2, -1)
        return z1, z2, self.network(tf.one_hot(condition, 3))


MAKERS = {
    "layer": lambda: Coupling(network=Network()),
    "model": lambda: Coupling(network=NetworkModel()),
    "flow layer": WithNetwork,
    "flow layer with labels": WithLabels,
}


def make_model(name):
    model = LikelihoodModel(FlowSequential([ActNorm(), MAKERS[name]()]), conditional="labels" in name)
    model.build((None, 4))
    return model


def log_prob(model):
    return model.log_prob(VECTORS, np.arange(8) % 3 if model.conditional else None)


@pytest.mark.parametrize("name", slow_but(["flow layer"], MAKERS))
def test_weights_of_a_file_are_those_of_the_first_call(name, tmp_path, recwarn):
    model = make_model(name)
    assert len(model.trainable_variables) == 6
    assert len(MAKERS[name]().as_bijector([4]).trainable_variables) == 4
    for i, weight in enumerate(model.trainable_variables):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    new = make_model(name)
    new.load_weights(tmp_path / "m.weights.h5")
    for other in (keras.saving.load_model(tmp_path / "m.keras"), new, copy.deepcopy(model)):
        np.testing.assert_array_equal(log_prob(other), log_prob(model))
    assert not [w for w in recwarn if "in the first call" in str(w.message)]


def test_fit_of_a_new_model_trains_its_network():
    model = make_model("layer")
    model.compile("adam", run_eagerly=True)
    before = model.get_weights()
    with pytest.warns(UserWarning, match="actnorms of this new model"):
        model.fit(VECTORS, verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_network_that_cannot_be_called_yet_is_named():
    class KnownSizes(Network):
        def call(self, x):
            return super().call(tf.ones([x.shape[1] * x.shape[2], 1]))

    layer = Coupling(network=KnownSizes())
    with pytest.warns(UserWarning, match="coupling.*: parts of it make their weights in the first call.*failed: "):
        layer.build((None, None, None, 2))
    assert not layer.trainable_variables


def test_parts_that_are_frozen_before_the_build_can_be_trained_later():
    layer = Coupling(network=Network())
    layer.network.trainable = False
    bijector = layer.as_bijector([4])
    assert not layer.trainable_variables and not bijector.trainable_variables
    layer.network.trainable = True
    assert len(layer.trainable_variables) == len(bijector.trainable_variables) == 4
    layer = WithNetwork()
    first, second = layer.network.layers
    first.trainable = False
    layer.build((None, 4))
    assert not first.trainable_variables and layer.trainable_variables == second.trainable_variables
