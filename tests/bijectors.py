"""Bijectors under test, and the distributions over them."""

import laws
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from laws import CASES

tfd = tfp.distributions
SOME = ("actnorm of vectors", "conv1x1", "affine of vectors", "step 1x1 affine", "glow flat")


def fresh(value):
    """The same numbers in new tensors, so that no cache can know them."""
    return tf.nest.map_structure(lambda v: v + 0.0, value)


def normal(shape, means=0.0):
    """Independent normals over events of `shape`; the shape of `means` is the batch shape."""
    means = np.asarray(means).reshape(np.shape(means) + (1,) * len(shape))
    loc = tf.constant(np.broadcast_to(means, means.shape[: means.ndim - len(shape)] + tuple(shape)), laws.DTYPE)
    return tfd.Independent(tfd.Normal(loc, tf.constant(1.0, laws.DTYPE)), len(shape))


def base_of(layer, shape, means=0.0):
    """The distribution of the latents of images of `shape`."""
    latent = layer.latent_shape(shape)
    if isinstance(latent, list):
        return tfd.JointDistributionSequential([normal(s, means) for s in latent])
    return normal(latent, means)


def latents(layer, shape, n=4, size=1.0, seed=1):
    """A batch of latents of standard deviation `size`."""
    rng = np.random.default_rng(seed)
    latent = layer.latent_shape(shape)
    drawn = [tf.constant(size * rng.normal(size=(n, *s))) for s in (latent if isinstance(latent, list) else [latent])]
    return drawn if isinstance(latent, list) else drawn[0]


def shared_bijector(name, n=4):
    """A case, its layer at general weights, which tests must not change, and its bijector with `n` labels."""
    case, layer = CASES[name], laws.shared(name)
    return case, layer, layer.as_bijector(case.shape, condition=laws.labels(case, n))


def own_bijector(name):
    """The same with a layer of the test's own, to change."""
    case = CASES[name]
    layer = laws.ready(case)
    return case, layer, layer.as_bijector(case.shape, condition=laws.labels(case))


def distribution_of(layer, shape, bijector):
    return tfd.TransformedDistribution(base_of(layer, shape), bijector)
