"""Write checkpoints and frozen graphs as the original code does, and check models that are imported from them."""

import numpy as np
import tensorflow as tf

from glow_tf.cli.convert import main
from glow_tf.convert.openai_glow import original_names
from glow_tf.convert.openai_glow.names import EMA_SUFFIX
from helpers.golden import assert_close


def options(golden):
    """Return the words of the command line that import a `Case`."""
    hps = golden.hps
    return ["--bits", hps["n_bits_x"], "--image-size", hps["image_size"], "--weight-y", hps["weight_y"]]


def run_import(*arguments):
    """Call the command `python -m glow_tf.convert`; arguments may be of any type."""
    main([str(argument) for argument in arguments])


def assert_is_the_original(model, golden):
    """Check that a `Glow` gives the stored eps, bits/dim and decoded images."""
    assert_same_latents(model.encode(golden["x"], golden.labels, noise=golden.noise), golden)
    assert_close(model.bits_per_dim(golden["x"], golden.labels, noise=golden.noise), golden["bits_x"], 1e-5, "bits_x")
    x, _ = model.flow.decode(golden.eps(), golden.labels)
    assert_same_images(x, model.decode(golden.eps(), golden.labels), golden)


def assert_same_latents(eps, golden):
    """Check a list of latents against the stored ones."""
    for i, expected in enumerate(golden.eps()):
        assert_close(eps[i], expected, 1e-5, f"eps {i}")


def assert_same_images(x, images, golden):
    """Check decoded images, as floats `x` and as bytes `images`, against the stored ones."""
    assert_close(x, golden["decoded/x_float"], 2e-4, "decoded")
    off = np.abs(np.asarray(images).astype(int) - golden["decoded/x_uint8"])
    assert off.max() <= 256 // 2 ** golden.hps["n_bits_x"] and np.mean(off > 0) <= 0.005


def weights(golden, prefix="var/"):
    """Return `{original name: array}` of the weights of a case stored under `prefix`."""
    return {key.removeprefix(prefix): value for key, value in golden.golden.items() if key.startswith(prefix)}


def checkpoint_of(golden, folder):
    """Return the path of a case's checkpoint, stored or written to `folder`.

    Written is one of the weights, or of all the state after training if the case has it.
    """
    if golden.checkpoint.parent.is_dir():
        return golden.checkpoint
    values = weights(golden)
    if "end/slot/t" in golden:
        values = weights(golden, "end/var/") | {n + EMA_SUFFIX: v for n, v in weights(golden, "end/ema/").items()}
        values["Variable"] = golden["end/slot/t"]
        for i, name in enumerate(golden.trainable_names):
            values[f"Variable_{2 * i + 1}"] = golden[f"end/slot/m2/{name}"]
            values[f"Variable_{2 * i + 2}"] = golden[f"end/slot/m1/{name}"]
    write_checkpoint(folder / "model.ckpt", values)
    return folder / "model.ckpt"


def write_model(path, model):
    """Write a checkpoint of the weights of a `Glow` under their original names."""
    write_checkpoint(path, {name: variable.numpy() for name, variable in original_names(model).items()})


def assert_weights(model, golden, prefix):
    """Check that the weights of a `Glow` are exactly those stored under `prefix`."""
    for name, variable in original_names(model).items():
        np.testing.assert_array_equal(variable, golden[prefix + name], err_msg=name)


def write_checkpoint(path, values):
    """Write a checkpoint of `{name: array}` by the operation of the original code's Saver, without a .meta file."""
    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(value) for value in values.values()],
    )


def read_checkpoint(path):
    """Read a checkpoint as `{name: array}`."""
    reader = tf.train.load_checkpoint(str(path))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def freeze(path, values, use=None, inputs=()):
    """Write a frozen graph of `{name: array}`: one constant each, read and used as the variable in the original code.

    `use(name, weight)` returns the result of another operation, or None; `inputs` are `(name, shape)` of placeholders.
    """
    with tf.Graph().as_default() as graph:
        for name, value in values.items():
            weight = tf.identity(tf.constant(value, name=name), f"{name}/read")
            if use is None or use(name, weight) is None:
                _original_use(name, weight)
        for name, shape in inputs:
            tf.identity(tf.compat.v1.placeholder(tf.float32, shape, name))
    path.write_bytes(graph.as_graph_def().SerializeToString())


def _original_use(name, weight):
    part = name.rsplit("/", 1)[1]
    if name.endswith("invconv/W"):
        return tf.reshape(weight, [1, 1, *weight.shape])
    if part == "W" and weight.shape.rank == 4:
        return tf.nn.conv2d(tf.zeros([1, 8, 8, weight.shape[2]]), weight, 1, "SAME")
    if part == "W":
        return tf.matmul(tf.zeros([1, weight.shape[0]]), weight)
    if part.startswith("indices"):
        return tf.gather(tf.zeros([weight.shape[0], 8]), weight)
    if part == "b":
        return 1.0 + weight
    if part == "logs":
        return 3.0 * weight
    return tf.identity(weight)
