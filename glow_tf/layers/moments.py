"""Means and deviations of a coupling network's hidden values, for its data-dependent initialisation.

The batch of the initialisation is large (256 images of 32x32 in the paper's presets: 65,536 positions of 512 values at
the first level), and passing over such arrays is what takes the time. So one part of it after another goes through.
"""

import tensorflow as tf

from glow_tf.layers.convolutions import marked_neighbours

PART = 4096
"""Positions in a part, about: `[PART, width]` fits a cache."""


def _parts(x):
    """`x` `[B, H, W, C]` as a list of batches of about `PART` positions, each as the matrix `marked_neighbours`."""
    count = max(1, PART // max(1, x.shape[1] * x.shape[2]))
    return [marked_neighbours(x[start : start + count]) for start in range(0, x.shape[0], count)]


@tf.function(autograph=False)
def first_moments(x, kernel):
    """Mean and standard deviation `[width]` of `conv3x3(x, kernel)` over images and positions.

    From the mean and covariance of the nine neighbours, which are few: `var(a w) = w^T cov(a) w`, in float64.
    """
    parts = [tf.cast(part, tf.float64) for part in _parts(x)]
    count = tf.cast(tf.add_n([tf.shape(part)[0] for part in parts]), tf.float64)
    mean = tf.add_n([tf.reduce_sum(part, 0) for part in parts])[None] / count
    covariance = tf.add_n([tf.matmul(part - mean, part - mean, transpose_a=True) for part in parts]) / count
    w = tf.cast(tf.reshape(kernel, [mean.shape[1], -1]), tf.float64)
    variance = tf.maximum(tf.reduce_sum(w * (covariance @ w), 0), 0)
    return tf.cast((mean @ w)[0], x.dtype), tf.cast(tf.sqrt(variance), x.dtype)


@tf.function(autograph=False)
def second_moments(x, kernel_1, bias_1, kernel_2):
    """The same of `conv1x1(relu(conv3x3(x, kernel_1) + bias_1), kernel_2)`.

    Each part is centred by its own mean; the parts' squares then add up (Chan et al., 1979).
    """
    w_1, w_2 = (tf.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in (kernel_1, kernel_2))
    counts, means, squares = [], [], []
    for part in _parts(x):
        h = tf.nn.relu(tf.nn.bias_add(part @ w_1, bias_1))
        mean = tf.reshape(tf.reduce_mean(h, 0)[None] @ w_2, [-1])
        counts.append(tf.cast(tf.shape(part)[:1], x.dtype))
        means.append(mean)
        squares.append(tf.reduce_sum(tf.square(tf.nn.bias_add(h @ w_2, -mean)), 0))
    counts, means = tf.stack(counts), tf.stack(means)
    total = tf.reduce_sum(counts)
    mean = tf.reduce_sum(counts * means, 0) / total
    variance = (tf.add_n(squares) + tf.reduce_sum(counts * tf.square(means - mean), 0)) / total
    return mean, tf.sqrt(variance)
