"""Test bytes to continuous values and back, for every number of bits."""

import math

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import quantization
from glow_tf.errors import DataError

BYTES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


@pytest.mark.parametrize("bits", range(1, 9))
def test_quantization_inverts_dequantization_with_any_noise(bits):
    expected = BYTES // 2 ** (8 - bits) * 2 ** (8 - bits)
    np.testing.assert_array_equal(quantization.quantize(BYTES, bits), expected)
    for noise in (0.0, 0.25, 0.5, 0.999):
        x = quantization.dequantize(BYTES, bits, noise, tf.float64)
        assert x.numpy().min() >= -0.5 and x.numpy().max() < 0.5
        np.testing.assert_array_equal(quantization.to_uint8(x, bits), expected)


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        (-500.0, DataError, r"expected noise in \[0, 1\), got values outside or NaN"),
        (1.0, DataError, r"expected noise in \[0, 1\), got values outside or NaN"),
        (math.nan, DataError, r"expected noise in \[0, 1\), got values outside or NaN"),
        (np.full((1, 16, 16, 1), 7.0), DataError, r"expected noise in \[0, 1\), got values outside or NaN"),
        (
            np.zeros((3, 16, 16, 1)),
            DataError,
            r"noise of the images' shape \(1, 16, 16, 1\), got \(3, 16, 16, 1\)",
        ),
        (np.zeros((16, 16), int), TypeError, r"expected noise as floats in \[0, 1\), got int64"),
    ],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_noise_that_leaves_its_bin_is_refused(noise, error, message, dtype):
    with pytest.raises(error, match=message):
        quantization.dequantize(BYTES, 8, noise, dtype)


@pytest.mark.parametrize("bits", [np.uint8(8), np.int64(8), tf.constant(8)])
def test_bits_of_any_integer_type_are_taken(bits):
    assert quantization.levels(bits) == 256
    np.testing.assert_array_equal(quantization.dequantize(BYTES, bits), quantization.dequantize(BYTES, 8))
    np.testing.assert_array_equal(quantization.quantize(BYTES, bits), BYTES)


def test_dequantized_values_match_the_original():
    x = quantization.dequantize(np.array([0, 7, 8, 255], np.uint8), 5, 0.0, tf.float64)
    np.testing.assert_allclose(x, [-0.5, -0.5, 1 / 32 - 0.5, 31 / 32 - 0.5])
    assert quantization.to_uint8(tf.constant([-0.7, 0.5, 3.0]), 5).numpy().tolist() == [0, 255, 255]


def test_bits_per_dim_of_a_uniform_distribution():
    uniform = -8 * 12 * math.log(2.0)  # a uniform distribution over bytes
    assert float(quantization.bits_per_dim(tf.constant(uniform, tf.float64), (2, 2, 3))) == pytest.approx(8)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_largest_noise_in_float32_stays_in_its_bin(bits):
    largest = np.nextafter(np.float32(1), np.float32(0))
    x = quantization.dequantize(BYTES, bits, np.full(BYTES.shape, largest))
    np.testing.assert_array_equal(quantization.to_uint8(x, bits), quantization.quantize(BYTES, bits))
    assert x.numpy().max() < 0.5
