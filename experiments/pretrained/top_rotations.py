"""Rotations of channels that gather what tells the features of drawn faces apart: Fisher's linear discriminants."""

import numpy as np
import scipy.linalg

RIDGE = 1e-4
"""Number added to the variances that the features leave, so that none is 0; latents are of the order of 1."""


def labels_of(features):
    """Return the values of the features of faces as labels, int `[n, F]`.

    Args:
        features: a list of `glow_tf.data.face_drawings.Features`.
    """
    columns = [np.unique([str(face[name]) for face in features], return_inverse=True)[1] for name in features[0]]
    return np.stack(columns, axis=1)


def one_hot(labels):
    """Return labels `[n, F]` as columns of zeros and ones `[n, V]`, one for each value, less the mean of the column."""
    columns = [np.eye(column.max() + 1)[column] for column in labels.T]
    values = np.concatenate(columns, axis=1)
    return values - values.mean(0)


def discriminant_count(labels):
    """Return the number of directions that tell labels `[n, F]` apart: of each feature, one less than it has values."""
    return int(labels.max(0).sum())


def discriminants(x, labels):
    """Return `(ratios, directions)` of data, the best first.

    Args:
        x: data `[n, D]`.
        labels: the features of each row, int `[n, F]`.

    Returns:
        ratios: `[D]`, the variance of `x @ direction` that the features explain, over the variance that they leave.
        directions: `[D, D]`, one per column; of `x @ directions`, the features leave the identity as covariance.
    """
    x, values = x - x.mean(0), one_hot(labels)
    explained = values @ np.linalg.lstsq(values, x, rcond=None)[0]
    left = np.cov((x - explained).T) + RIDGE * np.eye(x.shape[1])
    ratios, directions = scipy.linalg.eigh(np.cov(explained.T), left)
    return ratios[::-1], directions[:, ::-1]


def best_first(x, labels):
    """Return an orthogonal matrix `[C, C]` that orders channels by what they tell about the features, the best first.

    Args:
        x: images `[n, H, W, C]`.
        labels: the features of each image, int `[n, F]`.
    """
    n, height, width, channels = x.shape
    ratios, directions = discriminants(x.reshape(n, -1), labels)
    count = discriminant_count(labels)
    directions = directions[:, :count].reshape(height * width, channels, count)
    scatter = np.einsum("pck,pdk,k->cd", directions, directions, np.log1p(ratios[:count]))
    return np.linalg.eigh(scatter)[1][:, ::-1]


def whitened(x, labels):
    """Return a matrix `[C, C]` after which data `[n, C]` is white, with the discriminants in their `places`."""
    ratios, directions = discriminants(x, labels)
    directions = directions / np.sqrt(1 + ratios)
    count = discriminant_count(labels)
    matrix = np.empty_like(directions)
    for channels, columns in zip(places(x.shape[1], count), np.split(directions, [count], axis=1), strict=True):
        matrix[:, channels] = columns
    return matrix


def rotated(channels, count, seed):
    """Return a random orthogonal matrix `[C, C]` that mixes the discriminants, in their `places`, with each other."""
    rng, matrix = np.random.default_rng(seed), np.zeros([channels, channels])
    for block in places(channels, count):
        matrix[np.ix_(block, block)] = np.linalg.qr(rng.standard_normal([len(block)] * 2))[0]
    return matrix


def places(channels, count):
    """Return the channels of `count` discriminants, and the other channels.

    Half of the discriminants are in the half of the channels that a coupling passes on, and half in the other half.
    """
    first = np.concatenate([np.arange(count // 2), channels // 2 + np.arange(count - count // 2)])
    return first, np.setdiff1d(np.arange(channels), first)
