"""Test that variables made quickly are as separate as others, and that Keras's paths stay."""

import keras
import numpy as np
import tensorflow as tf

from glow_tf import Adamax
from glow_tf.layers.variables import shared_zeros, unnamed_variables


def test_variables_share_a_name_and_a_start_and_nothing_else():
    zeros = shared_zeros()
    with keras.name_scope("layer"), unnamed_variables():
        one, other = (keras.Variable(zeros, (2,), "float32", name=name) for name in ("one", "other"))
    assert one.value.name == other.value.name == "variable:0", "or TensorFlow makes a kernel for each"
    assert [one.path, other.path] == ["layer/one", "layer/other"]
    one.value.assign_add([1.0, 2.0])
    np.testing.assert_array_equal([one, other, zeros((2,), "float32")], [[1, 2], [0, 0], [0, 0]])


def test_variables_of_a_graph_keep_their_names():
    with tf.Graph().as_default(), unnamed_variables():
        one, other = (tf.Variable([0.0], name=name) for name in ("one", "other"))
    assert [one.name, other.name] == ["one:0", "other:0"], "one name would be one variable"


def test_moments_of_equal_shape_are_made_from_one_tensor_by_one_name():
    weights = [keras.Variable(np.ones([3], np.float32), name=f"w_{i}") for i in range(2)]
    optimizer = Adamax(0.1, name="adamax")
    optimizer.build(weights)
    assert {v.value.name for v in optimizer.first_moments + optimizer.second_moments} == {"variable:0"}
    optimizer.apply([tf.ones([3]), tf.zeros([3])], weights)
    assert [float(v.numpy()[0]) > 0 for v in optimizer.first_moments] == [True, False]
    assert [v.path for v in optimizer.first_moments] == [f"adamax/w_{i}_first_moment" for i in range(2)]
