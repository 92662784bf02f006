"""List every flow layer, and set weights at which every law can be tested."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from glow_tf import layers
from helpers.guides import ROOT, run_blocks

DTYPE = "float64"


@dataclasses.dataclass(frozen=True)
class Case:
    """Describe a layer: `make(dtype)` makes it, for examples of `shape` and, if conditional, `labels` classes."""

    make: Callable
    shape: tuple
    labels: int = 0


def _own_network(outputs, dtype, layer=keras.layers.Dense, **options):
    parts = [layer(8, activation="tanh", dtype=dtype, **options), layer(outputs, dtype=dtype, **options)]
    return keras.Sequential(parts, name="mine")


def _own_convolutions(dtype):
    return _own_network(4, dtype, keras.layers.Conv2D, kernel_size=3, padding="same")


@keras.saving.register_keras_serializable("tests")
class ResidualNetwork(keras.layers.Layer):
    """A coupling network of one's own: two convolutions around a residual one."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        options = dict(kernel_size=3, padding="same", dtype=self.compute_dtype)
        self.first = keras.layers.Conv2D(5, activation="tanh", name="first", **options)
        self.middle = keras.layers.Conv2D(5, activation="tanh", name="middle", **options)
        self.last = keras.layers.Conv2D(filters, name="last", **options)

    def build(self, input_shape):
        self.first.build(input_shape)
        for layer in (self.middle, self.last):
            layer.build((*input_shape[:-1], 5))

    def call(self, x):
        h = self.first(x)
        return self.last(h + self.middle(h))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("tests")
def residual_network(filters):
    """Make a network for a flow in float32."""
    return ResidualNetwork(filters)


@keras.saving.register_keras_serializable("tests")
def residual_network_64(filters):
    """Make a network for a flow in float64."""
    return ResidualNetwork(filters, dtype="float64")


def _of_own_networks(layer, shape, **options):
    def make(dtype=DTYPE):
        network = residual_network_64 if dtype == DTYPE else residual_network
        return layer(network=network, dtype=dtype, **options)

    return Case(make, shape)


def _case(layer, shape, *, labels=0, **options):
    return Case(lambda dtype=DTYPE: layer(dtype=dtype, **options), shape, labels)


def _steps():
    cases = {}
    for permutation in ("1x1", "lu", "shuffle", "reverse"):
        for coupling in ("affine", "additive"):
            cases[f"step {permutation} {coupling}"] = _case(
                layers.FlowStep, (4, 2, 4), permutation=permutation, coupling=coupling, width=6, seed=3
            )
    return cases


def _guide_layer(dtype=DTYPE):
    return run_blocks(ROOT / "docs/guides/write_a_layer.md", 1)["LeakyReLUFlow"](dtype=dtype)


CASES = {
    "actnorm": _case(layers.ActNorm, (4, 2, 3)),
    "actnorm of vectors": _case(layers.ActNorm, (5,)),
    "conv1x1": _case(layers.InvertibleConv1x1, (3, 2, 4), seed=1),
    "conv1x1 of vectors": _case(layers.InvertibleConv1x1, (5,), seed=1),
    "conv1x1 lu": _case(layers.InvertibleConv1x1, (3, 2, 4), lu=True, seed=1),
    "conv1x1 lu of vectors": _case(layers.InvertibleConv1x1, (5,), lu=True, seed=1),
    "shuffle": _case(layers.Shuffle, (3, 2, 4), seed=2),
    "reverse": _case(layers.Reverse, (5,)),
    "affine": _case(layers.Coupling, (4, 2, 4), width=6, seed=1),
    "affine exp": _case(layers.Coupling, (4, 2, 4), scale="exp", width=6, seed=1),
    "additive": _case(layers.Coupling, (4, 2, 4), kind="additive", width=6, seed=1),
    "affine of your network": Case(
        lambda dtype=DTYPE: layers.Coupling(network=_own_convolutions(dtype), dtype=dtype), (4, 2, 4)
    ),
    "affine of vectors": Case(lambda dtype=DTYPE: layers.Coupling(network=_own_network(6, dtype), dtype=dtype), (6,)),
    "additive of vectors": Case(
        lambda dtype=DTYPE: layers.Coupling("additive", network=_own_network(3, dtype), dtype=dtype), (6,)
    ),
    "affine of vectors, default network": _case(layers.Coupling, (6,), width=8, seed=7),
    "squeeze": _case(layers.Squeeze, (4, 2, 3)),
    "split": _case(layers.Split, (4, 2, 4)),
    "prior": _case(layers.TopPrior, (3, 2, 4)),
    "prior fixed": _case(layers.TopPrior, (3, 2, 4), learned=False),
    "prior conditional": _case(layers.TopPrior, (3, 2, 4), labels=3, classes=3),
    **_steps(),
    "multiscale": _case(layers.MultiScale, (8, 8, 1), levels=2, depth=2, width=6, seed=5),
    "multiscale recomputed": _case(
        layers.MultiScale, (8, 8, 1), levels=2, depth=1, width=6, seed=5, recompute=True, permutation="shuffle"
    ),
    "glow": _case(layers.GlowFlow, (8, 8, 1), levels=2, depth=1, width=6, seed=5),
    "glow conditional": _case(
        layers.GlowFlow, (8, 8, 1), labels=3, levels=2, depth=1, width=6, seed=5, permutation="lu", classes=3
    ),
    "step of your network": _of_own_networks(layers.FlowStep, (4, 2, 4), coupling="additive", seed=3),
    "glow of your networks": _of_own_networks(layers.GlowFlow, (8, 8, 1), levels=2, depth=2, seed=5),
    "glow flat": Case(
        lambda dtype=DTYPE: layers.FlatFlow(
            layers.GlowFlow(levels=2, depth=1, width=6, seed=5, dtype=dtype, permutation="lu")
        ),
        (8, 8, 1),
    ),
    "guide": Case(_guide_layer, (4, 2, 3)),
    "sequential": Case(
        lambda dtype=DTYPE: layers.FlowSequential(
            [layers.ActNorm(dtype=dtype), layers.InvertibleConv1x1(dtype=dtype), layers.Squeeze(dtype=dtype)]
        ),
        (4, 2, 2),
    ),
}

ONE_OF_EACH_CLASS = (
    *("actnorm", "conv1x1 of vectors", "conv1x1 lu", "shuffle", "reverse", "affine", "additive of vectors", "squeeze"),
    *("split", "prior conditional", "step 1x1 affine", "multiscale recomputed", "glow conditional", "glow flat"),
    *("sequential", "guide"),
)
"""A case of every class, for what an adapter of the base class does alike for all forms of a layer."""


def images(case, n=4, seed=0, dtype=DTYPE):
    """Draw a batch of inputs `[n, *shape]`, correlated and with a nonzero mean."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, *case.shape)) * rng.uniform(0.5, 2, case.shape[-1]) + rng.normal(size=case.shape[-1])
    return tf.constant(x, dtype)


def labels(case, n=4):
    """Return labels `[n]`, or None."""
    return tf.constant(np.arange(n) % case.labels, tf.int32) if case.labels else None


def randomized_layer(case, dtype=DTYPE, noise=0.05):
    """Make the layer with general weights: initialized, perturbed, initialized again, actnorms perturbed.

    At the start zero convolutions block gradients, and every coupling is the identity.
    """
    layer = case.make(dtype)
    x, rng = images(case, 32, dtype=dtype), np.random.default_rng(7)
    layer.initialize(x, labels(case, 32))
    perturb(layer.trainable_variables, rng, noise)
    layer.initialize(x, labels(case, 32))
    perturb([v for v in layer.trainable_variables if "actnorm" in v.path.replace("act_norm", "actnorm")], rng, noise)
    return layer


@functools.cache
def shared_layer(name):
    """Return the randomized layer of a case, made once; tests must not change it."""
    return randomized_layer(CASES[name])


def copied_layer(name):
    """Make a layer with the weights of the shared one, for a test to change."""
    case = CASES[name]
    layer = case.make()
    layer.build((None, *case.shape))
    layer.set_weights(shared_layer(name).get_weights())
    return layer


def perturb(variables, rng, noise=0.1):
    """Add noise to weights."""
    for v in variables:
        v.assign_add(noise * rng.normal(size=v.shape))


def flatten(value):
    """Flatten a tensor, or a list of tensors, to `[B, D]`."""
    parts = value if isinstance(value, list) else [value]
    return tf.concat([tf.reshape(p, [tf.shape(p)[0], -1]) for p in parts], -1)


def max_abs_diff(a, b):
    """Return the largest absolute difference of two values."""
    return float(tf.reduce_max(tf.abs(flatten(a) - flatten(b))))


def jacobian(function, rows, labels=None):
    """Return the Jacobian `[n, D, D]` of `function(rows, labels)`, `[n, D] -> [n, D]`, in one backward pass.

    Each row is repeated D times, and copy k gives the gradient of output k: the examples of a batch do not depend on
    one another.
    """
    n, size = rows.shape
    copies = tf.repeat(rows, size, axis=0)
    labels = None if labels is None else tf.repeat(labels, size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        outputs = tf.reduce_sum(function(copies, labels) * tf.tile(tf.eye(size, dtype=rows.dtype), [n, 1]))
    return tf.reshape(tape.gradient(outputs, copies), [n, size, size])
