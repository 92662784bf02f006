"""Test that shapes which TensorFlow would broadcast are refused, and that a refused value leaves no trace."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import LikelihoodModel, layers
from glow_tf.layers.flow import FlowLayer


def make_multiscale():
    flow = layers.MultiScale(levels=2, depth=1, width=4, seed=0)
    flow.build((None, 8, 8, 1))
    return flow


@pytest.mark.parametrize("make", [layers.Split, make_multiscale], ids=["unbuilt", "built"])
def test_latents_of_other_levels_are_not_broadcast(make):
    layer = make()
    channels = layer.encoded_shape((8, 8, 2))[0][-1] if isinstance(layer, layers.Split) else 2
    latents = [tf.ones([2, 4, 4, channels]), tf.ones([2, 4, 4, channels])]
    if not isinstance(layer, layers.Split):
        latents[1] = tf.ones([2, 2, 2, 8])
    assert layer.decode(latents)[1].shape == [2]
    with pytest.raises(ValueError, match="expected latents of one image"):
        layer.decode([tf.ones([2, 1, 1, channels]), latents[1]])


@pytest.mark.slow
def test_latents_whose_sizes_only_the_graph_knows_are_not_broadcast():
    layer = layers.Split()
    layer.build((None, None, None, 2))
    spec = tf.TensorSpec([None, None, None, 1])
    decode = tf.function(lambda z1, eps: layer.decode([z1, eps]), input_signature=[spec, spec])
    assert decode(tf.ones([2, 4, 4, 1]), tf.ones([2, 4, 4, 1]))[0].shape == [2, 4, 4, 2]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.ones([2, 4, 4, 1]), tf.ones([2, 1, 1, 1]))


@pytest.mark.parametrize("shape", [[4, 1], []])
def test_log_det_of_an_author_is_one_number_per_example(shape):
    class Doubled(FlowLayer):
        def _encode(self, x, condition=None):
            return 2 * x, tf.fill(shape, np.log(2.0))

    with pytest.raises(ValueError, match=r"expected _encode to return a log-determinant per example, \[4\], got"):
        Doubled().encode(tf.ones([4, 2]))
    with pytest.raises(ValueError, match=r"per example, \[4\]"):
        Doubled(event_ndims=1).encode(tf.ones([2, 2, 2]))


def test_layers_that_do_not_fit_in_a_chain_are_refused():
    chain = layers.FlowSequential([layers.ActNorm(event_ndims=1), layers.Squeeze()])
    with pytest.raises(ValueError, match="act_norm.* has 1 event axis, the chain has 3"):
        chain.encode(tf.ones([8, 8, 8, 3]))
    with pytest.raises(ValueError, match="only the last layer may split its input"):
        layers.FlowSequential([layers.Split(), layers.ActNorm()]).encode(tf.ones([2, 4, 4, 2]))


@pytest.mark.parametrize("call", ["encode", "__call__"])
def test_value_that_is_refused_does_not_settle_the_shape(call):
    images = tf.ones([2, 4, 4, 2])
    actnorm, coupling, squeeze = layers.ActNorm(event_ndims=3), layers.Coupling(width=4), layers.Squeeze()
    with pytest.raises(ValueError, match="3 event axes"):
        getattr(actnorm, call)(tf.ones([4, 5]))
    with pytest.raises(ValueError, match=r"got \(4, 5\); for vectors, pass event_shape="):
        actnorm.as_bijector().forward(tf.ones([4, 5]))
    with pytest.raises(ValueError, match="even number of channels"):
        getattr(coupling, call)(tf.ones([5, 3]))
    with pytest.raises(ValueError, match="channels"):
        squeeze.decode(tf.ones([1, 2, 2, 6]))
    for layer in (actnorm, coupling, squeeze):
        assert not layer.built and layer.event_shape is None
        layer.encode(images)
    assert isinstance(coupling.network, layers.CouplingNetwork), "images have convolutions"


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


def small_glow():
    return layers.GlowFlow(levels=1, depth=1, width=4, seed=0)


def coupling_of(inputs):
    return layers.Coupling(network=built(keras.Sequential([keras.layers.Dense(2 * inputs)]), inputs))


REFUSING = {
    "chain of a built layer": (lambda: layers.FlowSequential([built(layers.ActNorm(), 2), layers.Reverse()]), 2, 4),
    "chain": (lambda: layers.FlowSequential([layers.ActNorm(), layers.Coupling(width=4)]), 2, 3),
    "chain of one": (lambda: layers.FlowSequential([built(layers.ActNorm(), 2)]), 2, 4),
    "step": (lambda: layers.FlowStep(width=4), 2, 3),
    "coupling with a built network": (lambda: coupling_of(1), 2, 4),
    "flat flow of a built flow": (lambda: layers.FlatFlow(built(small_glow(), 4, 4, 1)), (4, 4, 1), (4, 4, 2)),
    "levels": (lambda: layers.MultiScale(levels=2, depth=1, width=4), (4, 4, 1), (6, 6, 1)),
    "model": (lambda: LikelihoodModel(layers.FlowSequential([built(layers.ActNorm(), 2)])), 2, 4),
}
"""Name -> function that makes a layer, an event shape that it takes, and one that it refuses."""


@pytest.mark.parametrize("method", ["encode", "initialize", "__call__", "build"])
@pytest.mark.parametrize("name", REFUSING)
def test_part_that_refuses_a_value_leaves_all_parts_as_they_were(name, method, tmp_path):
    make, *shapes = REFUSING[name]
    good, bad = (tf.ones([3, *np.atleast_1d(shape)]) for shape in shapes)
    layer, new = make(), make()
    method = "log_prob" if (name, method) == ("model", "encode") else method
    weights = [id(weight) for weight in layer.weights]
    with pytest.raises(ValueError, match="built for|expected"):
        getattr(layer, method)(bad.shape if method == "build" else bad)
    assert not layer.built and [id(weight) for weight in layer.weights] == weights
    getattr(layer, method)(good.shape if method == "build" else good)
    new(good)
    assert [weight.shape for weight in layer.weights] == [weight.shape for weight in new.weights], "built once"
    tf.train.Checkpoint(layer=layer).write(str(tmp_path / "c"))
    tf.train.Checkpoint(layer=new).read(str(tmp_path / "c")).assert_existing_objects_matched()


def test_network_that_tells_only_at_its_call_leaves_the_coupling_unbuilt():
    coupling = layers.Coupling(network=keras.Sequential([keras.layers.Dense(4)]))
    with pytest.raises(ValueError, match="the network must give 2 channels"):
        coupling.encode(tf.ones([3, 2]))
    with pytest.raises(ValueError, match="NaN"):
        coupling.initialize(tf.fill([3, 2], np.nan))
    assert coupling.encode(tf.ones([3, 4]))[0].shape == [3, 4]


def test_nested_list_of_numbers_is_one_tensor():
    x = [[1.0, 2.0], [3.0, 4.0]]
    expected = tf.reverse(x, [-1])
    reverse = layers.Reverse()
    for _ in range(2):  # not built, and built
        for method in (reverse.encode, reverse.decode, reverse):
            np.testing.assert_array_equal(method(x)[0], expected)
        np.testing.assert_array_equal(reverse.initialize(x), expected)
    for unbuilt in (layers.Reverse(), reverse):
        for several in (tf.unstack(tf.ones([2, 3, 2])), list(np.ones([2, 3, 2], "float32"))):
            for method in (unbuilt.encode, unbuilt.decode, unbuilt.initialize):
                with pytest.raises(ValueError, match="expected one tensor, got a list of 2"):
                    method(several)
    with pytest.raises(TypeError, match="expected tensors of float32, got a list"):
        reverse.encode([[1.0], [1.0, 2.0]])


def test_latents_may_be_nested_lists_of_numbers():
    numbers = np.ones([2, 1, 2, 2, 2]).tolist()
    split = layers.Split()
    for _ in range(2):  # not built, and built
        np.testing.assert_array_equal(split.decode(numbers)[0], np.ones([1, 2, 2, 4]))


def test_masked_arrays_are_refused():
    x = np.ma.masked_array(np.ones([4, 2], "float32"), mask=[[False, True]] * 4)
    with pytest.raises(TypeError, match="masked"):
        layers.ActNorm().encode(x)
    assert isinstance(layers.ActNorm()(keras.Input([2]))[0], keras.KerasTensor)


def test_network_that_pools_is_refused_before_its_values_reach_other_examples():
    network = keras.Sequential([keras.layers.Conv2D(2, 3, padding="same"), keras.layers.GlobalAveragePooling2D()])
    additive = layers.Coupling("additive", network=network)
    with pytest.raises(ValueError, match="must give 2 channels .* at each position of its input"):
        additive.encode(tf.ones([8, 8, 8, 4]))
    network = keras.Sequential([keras.layers.Conv2D(4, 3, padding="same"), keras.layers.GlobalAveragePooling2D()])
    affine = layers.Coupling(network=network)
    affine.build((None, 8, 8, 4))
    with pytest.raises(ValueError, match="must give 4 channels"):
        tf.function(affine.encode).get_concrete_function(tf.TensorSpec([None, 8, 8, 4]))


@pytest.mark.slow
def test_latents_of_other_batch_sizes_are_not_broadcast_in_a_graph():
    flow = make_multiscale()
    signature = [tf.TensorSpec([None, 4, 4, 2]), tf.TensorSpec([None, 2, 2, 8])]
    decode = tf.function(lambda fine, coarse: flow.decode([fine, coarse])[0], input_signature=signature)
    assert decode(tf.ones([5, 4, 4, 2]), tf.ones([5, 2, 2, 8])).shape == [5, 8, 8, 1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.ones([1, 4, 4, 2]), tf.ones([5, 2, 2, 8]))


def test_event_that_does_not_fit_leaves_a_layer_as_it_was():
    coupling = layers.Coupling(width=4)
    with pytest.raises(ValueError, match="even"):
        coupling.as_bijector([3])
    assert coupling.encode(tf.ones([2, 4, 4, 2]))[1].shape == [2], "vectors were never settled"


@pytest.mark.slow
def test_flat_flow_refuses_images_of_another_size():
    flow = layers.FlatFlow(make_multiscale())
    flow.build((None, 8, 8, 1))
    assert flow.as_bijector((8, 8, 1)).inverse(tf.ones([2, 8, 8, 1])).shape == [2, 64]
    with pytest.raises(ValueError, match="was built for the event shape"):
        flow.as_bijector((16, 16, 1))
    encode = tf.function(lambda x: flow.encode(x)[0], input_signature=[tf.TensorSpec([None, None, None, 1])])
    assert encode(tf.ones([2, 8, 8, 1])).shape == [2, 64]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        encode(tf.ones([2, 16, 16, 1]))


def test_unconditional_prior_refuses_labels():
    with pytest.raises(ValueError, match="unconditional and takes no labels"):
        layers.TopPrior().encode(tf.ones([2, 4, 4, 2]), tf.constant([0, 1]))
