"""Make the bijectors under test, and distributions over them."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from helpers import layer_cases
from helpers.layer_cases import CASES

tfd = tfp.distributions
REPRESENTATIVE_CASES = ("actnorm of vectors", "conv1x1", "affine of vectors", "step 1x1 affine", "glow flat")


def copy_tensors(value):
    """Copy tensors, so that no cache keyed by a tensor has their values."""
    return tf.nest.map_structure(lambda v: v + 0.0, value)


def normal(shape, means=0.0):
    """Make independent normals over events of `shape`; the shape of `means` is the batch shape."""
    means = np.asarray(means).reshape(np.shape(means) + (1,) * len(shape))
    loc = tf.constant(np.broadcast_to(means, means.shape[: means.ndim - len(shape)] + tuple(shape)), layer_cases.DTYPE)
    return tfd.Independent(tfd.Normal(loc, tf.constant(1.0, layer_cases.DTYPE)), len(shape))


def base_of(layer, shape, means=0.0):
    """Make the base distribution of the latents of images of `shape`."""
    latent = layer.encoded_shape(shape)
    if np.ndim(means) > 0:
        return _base(latent, means)
    return _standard_base(tuple(map(tuple, latent)) if isinstance(latent, list) else tuple(latent))


@functools.cache
def _standard_base(latent):
    """Make the standard normal of a latent shape once: TFP traces a joint distribution at its first use."""
    return _base(list(latent) if isinstance(latent[0], tuple) else latent)


def _base(latent, means=0.0):
    if isinstance(latent, list):
        return tfd.JointDistributionSequential([normal(s, means) for s in latent])
    return normal(latent, means)


def latents(layer, shape, n=4, size=1.0, seed=1):
    """Draw a batch of latents of standard deviation `size`."""
    rng = np.random.default_rng(seed)
    latent = layer.encoded_shape(shape)
    drawn = [tf.constant(size * rng.normal(size=(n, *s))) for s in (latent if isinstance(latent, list) else [latent])]
    return drawn if isinstance(latent, list) else drawn[0]


def shared_bijector(name, n=4):
    """Return a case, its shared randomized layer, which tests must not change, and its bijector with `n` labels."""
    case, layer = CASES[name], layer_cases.shared_layer(name)
    return case, layer, layer.as_bijector(case.shape, condition=layer_cases.labels(case, n))


def own_bijector(name):
    """Return a case, a layer that the test may change, and its bijector."""
    case = CASES[name]
    layer = layer_cases.copied_layer(name)
    return case, layer, layer.as_bijector(case.shape, condition=layer_cases.labels(case))


def distribution_of(layer, shape, bijector):
    return tfd.TransformedDistribution(base_of(layer, shape), bijector)
