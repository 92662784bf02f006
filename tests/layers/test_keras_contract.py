"""Run Keras's own tests of layers over every layer here.

What their assumptions exclude: the check of mixed precision (`mixed_float16`), as half precision is refused; the check
of training for a layer with labels, which Keras calls with one input alone, and for a layer to a list of latents, which
`tf.data.Dataset.from_generator` does not take as a target.
"""

import keras
import numpy as np
import pytest
from keras.src import testing
from keras.src.trainers import trainer

from glow_tf import Glow, layers
from glow_tf.config import ModelConfig
from helpers import layer_cases

NETWORKS = {
    "coupling network": layer_cases.Case(lambda dtype: layers.CouplingNetwork(4, width=4, dtype=dtype), (4, 4, 2)),
    "dense network": layer_cases.Case(lambda dtype: layers.DenseNetwork(4, width=4, dtype=dtype), (5,)),
    "zero convolution": layer_cases.Case(lambda dtype: layers.ZeroConv3x3(4, dtype=dtype), (4, 4, 2)),
    "zero dense": layer_cases.Case(lambda dtype: layers.ZeroDense(4, dtype=dtype), (5,)),
}

COMPILED = ("actnorm", "affine", "dense network")
"""Cases whose training step Keras lets XLA compile, which takes seconds; `test_laws.py` compiles every layer."""

WITH_A_LIST_OF_LATENTS = ("split", "multiscale recomputed", "glow conditional")
"""Cases of a layer to a list of latents."""

CASES = {**{name: layer_cases.CASES[name] for name in layer_cases.ONE_OF_EACH_CLASS}, **NETWORKS}


def test_every_public_layer_is_among_the_cases():
    classes = {type(case.make("float32")).__name__ for case in CASES.values()}
    assert classes == {*layers.__all__, "LeakyReLUFlow"} - {"FlowLayer"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_layer_passes_the_tests_of_keras(name, monkeypatch):
    case = CASES[name]
    shape = (2, *case.shape)
    expected = case.make("float32").compute_output_shape(shape)
    assert isinstance(expected[0], list) == (name in WITH_A_LIST_OF_LATENTS)
    if name not in COMPILED:
        monkeypatch.setattr(trainer, "model_supports_jit", lambda model: False)
    testing.TestCase().run_layer_test(
        lambda: case.make("float32"),
        {},
        input_shape=shape,
        call_kwargs={"condition": layer_cases.labels(case, 2)} if case.labels else {},
        expected_output_shape=expected,
        supports_masking=False,
        run_training_check=not case.labels and name not in WITH_A_LIST_OF_LATENTS,
        run_mixed_precision_check=False,
    )


@pytest.mark.parametrize("name", [name for name in layer_cases.CASES if name not in CASES])
def test_other_forms_of_a_layer_pass_the_serialization_test_of_keras(name):
    testing.TestCase().run_class_serialization_test(layer_cases.CASES[name].make("float32"))


def test_half_precision_is_refused_in_the_name_of_the_layer():
    config = ModelConfig(image_shape=(4, 4, 1), levels=1, depth=1, width=4)
    makers = [*(case.make for case in CASES.values()), lambda dtype: Glow(config, dtype=dtype)]
    for make in makers:
        for dtype in ("mixed_float16", "bfloat16"):
            with pytest.raises(ValueError, match=r"computes in float32 or float64, got dtype='b?float16'\. For mixed"):
                make(dtype)
    with pytest.raises(ValueError, match="^CouplingNetwork computes"):
        layers.CouplingNetwork(4, dtype="float16")
    with pytest.raises(ValueError, match="^Glow computes"):
        Glow(config, dtype="mixed_bfloat16")


def test_flow_layers_in_a_keras_sequential_are_told_of_flow_sequential():
    chains = [
        [keras.Input((4, 4, 2)), layers.ActNorm(), layers.Squeeze()],
        [keras.Input((4,)), layers.ActNorm(), layers.FlowSequential([layers.Reverse()])],
    ]
    for chain in chains:
        with pytest.raises(ValueError, match="chain flow layers with FlowSequential"):
            keras.Sequential(chain)
    built = layers.ActNorm(), layers.Reverse()
    for layer in built:
        layer.build((None, 4))
    with pytest.raises(ValueError, match="chain flow layers with FlowSequential"):
        keras.Sequential(built)(keras.ops.ones((3, 4)))


def test_weights_are_not_cast_in_a_model_of_mixed_precision():
    flow = layers.FlowSequential([layers.ActNorm(), layers.Coupling(width=4, seed=0)])
    z = keras.ops.ones((3, 4))
    flow.build((None, 4))
    layer_cases.perturb(flow.trainable_variables, np.random.default_rng(0))

    class Decoder(keras.Model):
        def call(self, z):
            return flow.decode(keras.ops.cast(z, "float32"))[0]

    np.testing.assert_array_equal(Decoder(dtype="mixed_bfloat16")(z), flow.decode(z)[0])


def test_symbolic_call_checks_its_input():
    with pytest.raises(ValueError, match="even height and width"):
        layers.Squeeze()(keras.Input((5, 4, 1)))
