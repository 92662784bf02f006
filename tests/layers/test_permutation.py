"""Test the 1x1 convolution in float32, where a determinant itself would overflow."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import layers

CHANNELS = 192
"""Channels of the coarsest level of a color image's flow of 5 levels."""


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize("lu", [False, True])
def test_1x1_convolution_log_det_does_not_overflow_in_float32(lu, factor):
    layer = layers.InvertibleConv1x1(lu=lu, seed=0)
    layer.build((None, 2, 3, CHANNELS))
    if lu:
        layer.U.assign(layer.U.value * factor)
        layer.log_S.assign_add(tf.fill([CHANNELS], np.float32(np.log(factor))))
    else:
        layer.W.assign(layer.W.value * factor)
    weights = [v.value for v in layer.trainable_variables]
    x = tf.random.stateless_normal([2, 2, 3, CHANNELS], [0, 1])
    with tf.GradientTape() as tape:
        z, log_det = layer.encode(x)
    expected = 2 * 3 * np.linalg.slogdet(layer.matrix().numpy().astype(np.float64))[1]
    assert abs(expected) == pytest.approx(2 * 3 * CHANNELS * np.log(1e3), rel=1e-6)
    np.testing.assert_allclose(log_det, [expected] * 2, rtol=1e-5)
    for gradient in tape.gradient(log_det, weights, unconnected_gradients="zero"):
        assert np.isfinite(gradient).all()
    reconstruction, inverse_log_det = layer.decode(z)
    np.testing.assert_allclose(reconstruction, x, atol=1e-3)
    np.testing.assert_array_equal(inverse_log_det, -log_det)
