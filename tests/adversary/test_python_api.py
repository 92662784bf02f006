"""Test calls of the Python API that people make by mistake or by habit: the right number, or one sentence."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import (
    ActNorm,
    Adamax,
    DataConfig,
    FlatFlow,
    FlowSequential,
    FlowStep,
    Glow,
    GlowFlow,
    InvertibleConv1x1,
    ModelConfig,
    Reverse,
    Squeeze,
    TopPrior,
    WarmUp,
    attributes,
    latents,
    presets,
)
from glow_tf.export import export_model
from glow_tf.interpolation import interpolate_latents
from helpers.glow_models import make_glow

pytestmark = pytest.mark.slow

SMALL = dict(image_shape=(4, 8, 1), levels=2, depth=1, width=4)


@pytest.fixture(scope="module")
def models():
    """Make an unconditional model, a conditional one, and their six images."""
    glow, images, _ = make_glow(**SMALL)
    return glow, make_glow(classes=3, **SMALL)[0], images


@dataclasses.dataclass
class Series:
    """Stand for a column of pandas, which is no array but gives one."""

    values: np.ndarray

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.values.dtype)

    def __len__(self):
        return len(self.values)


def log_prob(glow, images, labels=None):
    return glow.log_prob(images, labels, seed=0)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def every_second(array):
    """Return an array with gaps in memory that equals another."""
    return np.repeat(array, 2, axis=2)[:, :, ::2]


def flow_of_parts(layers):
    flow = FlowSequential(layers)
    return flow.encode(tf.ones([2, 4, 4, 2]))[0]


def in_a_graph_of_unknown_sizes(layer, x):
    signature = [tf.TensorSpec([None, None, None, x.shape[-1]], x.dtype)]
    return tf.function(lambda v: layer.encode(v)[0], input_signature=signature)(x)


LABELS = np.array([0, 1, 2, 0, 1, 2])
DIRECTIONS = np.array([[100, 0], [0, 100]])

# Functions of (unconditional model, conditional model, images) that return (what came, what is right).

RIGHT = {
    "images in Fortran order": lambda g, c, x: (log_prob(g, np.asfortranarray(x)), log_prob(g, x)),
    "images with gaps in memory": lambda g, c, x: (log_prob(g, every_second(x)), log_prob(g, x)),
    "images backwards": lambda g, c, x: (g.encode(x[::-1])[0][::-1], g.encode(x)[0]),
    "images that cannot be written": lambda g, c, x: (log_prob(g, read_only(x)), log_prob(g, x)),
    "images of a variable": lambda g, c, x: (log_prob(g, tf.Variable(x)), log_prob(g, x)),
    "masked images without a mask": lambda g, c, x: (log_prob(g, np.ma.array(x)), log_prob(g, x)),
    "labels of a column of pandas": lambda g, c, x: (log_prob(c, x, Series(LABELS)), log_prob(c, x, LABELS)),
    "labels of a range": lambda g, c, x: (log_prob(c, x[:3], range(3)), log_prob(c, x[:3], [0, 1, 2])),
    "big-endian labels": lambda g, c, x: (log_prob(c, x, LABELS.astype(">i8")), log_prob(c, x, LABELS)),
    "big-endian labels of 2 bytes": lambda g, c, x: (c.encode(x, LABELS.astype(">u2"))[1], c.encode(x, LABELS)[1]),
    "big-endian noise": lambda g, c, x: (
        g.log_prob(x, noise=np.full(x.shape, 0.25, ">f8")),
        g.log_prob(x, noise=0.25),
    ),
    "big-endian latents": lambda g, c, x: (g.decode([e.numpy().astype(">f4") for e in g.encode(x)]), x),
    "big-endian input of a layer": lambda g, c, x: (
        ActNorm(dtype="float64").encode(np.ones((1, 2, 2, 1), ">f8"))[0],
        np.ones((1, 2, 2, 1)),
    ),
    "latents as a tuple of variables": lambda g, c, x: (g.decode(tuple(map(tf.Variable, g.encode(x)))), x),
    "latents of a flat file in float32": lambda g, c, x: (
        g.decode(latents.unflatten_latents(latents.flatten_latents(g.encode(x)).astype(np.float32), g)),
        x,
    ),
    "count of a 0-d array": lambda g, c, x: (g.sample(np.array(2), seed=1), g.sample(2, seed=1)),
    "seed of a 0-d array": lambda g, c, x: (g.sample(2, seed=np.array(7, np.uint64)), g.sample(2, seed=7)),
    "temperature of a NumPy scalar": lambda g, c, x: (
        g.sample(2, np.float16(0.5), seed=1),
        g.sample(2, 0.5, seed=1),
    ),
    "layers of a generator": lambda g, c, x: (
        flow_of_parts(layer() for layer in (ActNorm, Reverse)),
        flow_of_parts([ActNorm(), Reverse()]),
    ),
    "layers of a tuple": lambda g, c, x: (flow_of_parts((ActNorm(),)), tf.ones([2, 4, 4, 2])),
    "names of attributes as an array": lambda g, c, x: (
        attributes.Attributes(np.array(["a", "b"]), DIRECTIONS).apply(np.zeros((1, 2)), {"b": 0.5}),
        [[0, 50]],
    ),
    "directions of one byte": lambda g, c, x: (
        attributes.Attributes(("a", "b"), DIRECTIONS.astype(np.int8)).positions(np.array([[100.0, 50.0]])),
        [[1, 0.5]],
    ),
    "odd sizes of an even product": lambda g, c, x: (
        in_a_graph_of_unknown_sizes(Squeeze(), tf.ones([1, 4, 6, 1])).shape,
        (1, 2, 3, 4),
    ),
    "image shape of a tensor": lambda g, c, x: (ModelConfig(tf.constant([8, 16, 1])).image_shape, (8, 16, 1)),
    "preset changed by a NumPy number": lambda g, c, x: (
        dataclasses.replace(presets.get("digits").model, depth=np.uint8(3)).depth,
        3,
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_unusual_argument_gives_the_right_number(case, models):
    actual, expected = RIGHT[case](*models)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


MASKED = np.ma.masked_equal(LABELS, 2)

# Functions of the same that raise, with the sentence.

REFUSED = {
    "masked images": (lambda g, c, x: log_prob(g, np.ma.masked_less(x, 99)), "Glow: .* an array with masked values"),
    "masked labels": (lambda g, c, x: log_prob(c, x, MASKED), "Glow: .* an array with masked values"),
    "masked latents": (
        lambda g, c, x: g.decode([np.ma.masked_less(e.numpy(), 0) for e in g.encode(x)]),
        "decode: .* an array with masked values",
    ),
    "images of a generator": (lambda g, c, x: g.encode(i for i in x), "expected uint8 images, got a generator"),
    "ragged images": (
        lambda g, c, x: g.encode(tf.ragged.constant([[1], [2, 3]], tf.uint8)),
        "expected uint8 images, got a RaggedTensor",
    ),
    "latents of a generator": (lambda g, c, x: g.decode(e for e in g.encode(x)), "a list of latents .* one generator"),
    "labels of a set": (lambda g, c, x: log_prob(c, x[:3], {0, 1, 2}), "expected integer labels .* got a set"),
    "complex temperature": (lambda g, c, x: g.sample(1, 0.5 + 0j), "expected a number as temperature"),
    "seed of a bool": (lambda g, c, x: g.sample(1, seed=True), "expected as seed an int or two, got bool"),
    "Glow of an experiment": (
        lambda g, c, x: Glow(presets.get("digits")),
        "Glow: expected a ModelConfig, got Experiment; give its .model",
    ),
    "Glow of a preset's name": (lambda g, c, x: Glow("digits"), "Glow: expected a ModelConfig, got str"),
    "Glow of fields": (
        lambda g, c, x: Glow(image_shape=(8, 8, 1), depth=2),
        r"got fields of one; write Glow\(ModelConfig\(image_shape=..., depth=...\)\)",
    ),
    "field beside a configuration": (
        lambda g, c, x: Glow(ModelConfig(**SMALL), depth=2),
        r"got fields of one; write Glow\(ModelConfig\(depth=...\)\)",
    ),
    "Glow of nothing": (lambda g, c, x: Glow(), "Glow: expected a ModelConfig, got NoneType"),
    "Glow of half precision": (lambda g, c, x: Glow(ModelConfig(**SMALL), dtype="float16"), "float32 or float64, got"),
    "no levels": (lambda g, c, x: GlowFlow(levels=0, depth=1), "levels: expected an integer of at least 1, got 0"),
    "no steps": (lambda g, c, x: GlowFlow(levels=1, depth=0), "depth: expected an integer of at least 1, got 0"),
    "steps of a float": (lambda g, c, x: GlowFlow(levels=1, depth=2.0), "depth: expected an integer of at least 1"),
    "negative width": (lambda g, c, x: FlowStep(width=-8), "width: expected an integer of at least 1, got -8"),
    "one class and a half": (lambda g, c, x: TopPrior(classes=1.5), "classes: expected an integer of at least 0"),
    "negative classes": (lambda g, c, x: GlowFlow(levels=1, depth=1, classes=-1), "classes: expected an integer"),
    "layer of Keras in a chain": (
        lambda g, c, x: FlowSequential([ActNorm(), keras.layers.Dense(2)]),
        "FlowSequential: expected a list of flow layers, got a Dense in it",
    ),
    "flat flow of one tensor": (
        lambda g, c, x: FlatFlow(ActNorm(name="norm")).encode(tf.ones([2, 4, 4, 1])),
        "expected a flow to a list of latents, norm gives one tensor",
    ),
    "ragged list for a layer": (
        lambda g, c, x: ActNorm(name="norm").encode([[1.0, 2.0], [3.0]]),
        "norm.encode: expected tensors of float32, got a list",
    ),
    "nothing for a layer": (
        lambda g, c, x: InvertibleConv1x1(name="conv").encode(None),
        "conv.encode: expected tensors of float32, got a NoneType",
    ),
    "odd height after the build": (
        lambda g, c, x: FlowSequential([Squeeze(name="fold")]).encode(tf.ones([4, 5, 4, 1])),
        r"fold: expected images with even height and width, got \(.*5, 4, 1\)",
    ),
    "odd height that only the graph knows": (
        lambda g, c, x: in_a_graph_of_unknown_sizes(Squeeze(), tf.ones([4, 5, 4, 1])),
        "80 values",
    ),
    "bijector of another number of channels": (
        lambda g, c, x: g.as_bijector((4, 8, 3)),
        r"was built for the event shape \(4, 8, 1\), got \(4, 8, 3\)",
    ),
    "images for other labels": (
        lambda g, c, x: c.distribution(labels=[0, 1, 2], discrete=True, seed=0).log_prob(x[:2]),
        r"leading dimensions broadcast to the labels' \(3,\), got \(2, 4, 8, 1\)",
    ),
    "latents of int on a line": (
        lambda g, c, x: interpolate_latents([np.array([[0, 8]])], [np.array([[8, 0]])], [0.5]),
        "interpolate_latents: expected latents of floats, got int64",
    ),
    "names of attributes as numbers": (
        lambda g, c, x: attributes.Attributes((0, 1), DIRECTIONS),
        "attributes: expected names as text, got 0",
    ),
    "image shape of a set": (lambda g, c, x: ModelConfig(image_shape={8, 16, 1}), "image_shape: expected 3 values"),
    "image shape of bytes": (lambda g, c, x: ModelConfig(image_shape=b"\x08\x08\x01"), "expected 3 values, got b"),
    "source of a path": (lambda g, c, x: DataConfig(pathlib.Path("images")), "source: expected kind:where"),
    "preset of a list": (lambda g, c, x: presets.get(["digits"]), r"preset: expected one of .* got \['digits'\]"),
    "export with swapped arguments": (
        lambda g, c, x: export_model("exported", g),
        "export_model: expected a Glow and the path to write, got a str first",
    ),
    "negative warm-up": (lambda g, c, x: WarmUp(1e-3, -10), "warmup_steps: expected 0 to"),
    "decay rate of 1": (lambda g, c, x: Adamax(beta2=1.0), "beta2: expected at least 0 and less than 1, got 1.0"),
    "weight factor of 0": (lambda g, c, x: Adamax(weight_factor=0.0), "weight_factor: expected more than 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_argument_that_cannot_be_meant_is_refused(case, models):
    call, sentence = REFUSED[case]
    with pytest.raises((ValueError, TypeError, tf.errors.InvalidArgumentError), match=sentence) as caught:
        call(*models)
    assert "\n" not in str(caught.value) or isinstance(caught.value, tf.errors.InvalidArgumentError)
