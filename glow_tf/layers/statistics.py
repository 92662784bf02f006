"""Means and standard deviations of a coupling network's hidden values, for its data-dependent initialization.

The batch of the initialization is large (256 images of 32x32 in the paper's presets: 65,536 positions of 512 values at
the first level), and reading and writing such arrays takes most of the time. The batch is therefore processed in
chunks that fit in cache.
"""

import tensorflow as tf

from glow_tf.layers.convolutions import marked_neighbors

CHUNK_POSITIONS = 4096
"""Approximate positions per chunk, so that `[CHUNK_POSITIONS, width]` fits in cache."""


def _chunks(x):
    """Split `x` `[B, H, W, C]` into matrices of neighbors (see `marked_neighbors`) of about `CHUNK_POSITIONS` rows."""
    count = max(1, CHUNK_POSITIONS // max(1, x.shape[1] * x.shape[2]))
    return [marked_neighbors(x[start : start + count]) for start in range(0, x.shape[0], count)]


@tf.function(autograph=False)
def conv1_mean_and_std(x, kernel):
    """Compute mean and standard deviation `[width]` of `conv3x3(x, kernel)` over images and positions.

    They follow from the mean and the covariance of the nine neighbors, which are few: `var(a w) = w^T cov(a) w`,
    computed in float64.
    """
    chunks = [tf.cast(chunk, tf.float64) for chunk in _chunks(x)]
    count = tf.cast(tf.add_n([tf.shape(chunk)[0] for chunk in chunks]), tf.float64)
    mean = tf.add_n([tf.reduce_sum(chunk, 0) for chunk in chunks])[None] / count
    covariance = tf.add_n([tf.matmul(chunk - mean, chunk - mean, transpose_a=True) for chunk in chunks]) / count
    w = tf.cast(tf.reshape(kernel, [mean.shape[1], -1]), tf.float64)
    variance = tf.maximum(tf.reduce_sum(w * (covariance @ w), 0), 0)
    return tf.cast((mean @ w)[0], x.dtype), tf.cast(tf.sqrt(variance), x.dtype)


@tf.function(autograph=False)
def conv2_mean_and_std(x, kernel_1, bias_1, kernel_2):
    """Compute mean and standard deviation `[width]` of `conv1x1(relu(conv3x3(x, kernel_1) + bias_1), kernel_2)`.

    Each chunk is centered by its own mean; the sums of squares are then combined (Chan et al., 1979).
    """
    w_1, w_2 = (tf.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in (kernel_1, kernel_2))
    counts, means, squares = [], [], []
    for chunk in _chunks(x):
        h = tf.nn.relu(tf.nn.bias_add(chunk @ w_1, bias_1))
        mean = tf.reshape(tf.reduce_mean(h, 0)[None] @ w_2, [-1])
        counts.append(tf.cast(tf.shape(chunk)[:1], x.dtype))
        means.append(mean)
        squares.append(tf.reduce_sum(tf.square(tf.nn.bias_add(h @ w_2, -mean)), 0))
    counts, means = tf.stack(counts), tf.stack(means)
    total = tf.reduce_sum(counts)
    mean = tf.reduce_sum(counts * means, 0) / total
    variance = (tf.add_n(squares) + tf.reduce_sum(counts * tf.square(means - mean), 0)) / total
    return mean, tf.sqrt(variance)
