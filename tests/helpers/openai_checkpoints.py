"""Write checkpoints and frozen graphs as the original does, and check what is imported from them."""

import numpy as np
import tensorflow as tf

from glow_tf.openai import original_names
from glow_tf.openai.__main__ import main
from glow_tf.openai.sources import AVERAGE
from helpers.golden import assert_close


def options(c):
    return ["--bits", c.hps["n_bits_x"], "--image-size", c.hps["image_size"], "--weight-y", c.hps["weight_y"]]


def run_import(*arguments):
    main([str(a) for a in arguments])


def assert_is_the_original(model, c):
    """Check that a `Glow` gives the stored eps, bits/dim and decoded images."""
    assert_same_latents(model.encode(c["x"], c.labels, noise=c.noise), c)
    assert_close(model.bits_per_dim(c["x"], c.labels, noise=c.noise), c["bits_x"], 1e-5, "bits_x")
    assert_same_images(model.flow.decode(c.eps(), c.labels)[0], model.decode(c.eps(), c.labels), c)


def assert_same_latents(eps, c):
    for i, expected in enumerate(c.eps()):
        assert_close(eps[i], expected, 1e-5, f"eps {i}")


def assert_same_images(x, images, c):
    assert_close(x, c["decoded/x_float"], 2e-4, "decoded")
    off = np.abs(np.asarray(images).astype(int) - c["decoded/x_uint8"])
    assert off.max() <= 256 // 2 ** c.hps["n_bits_x"] and np.mean(off > 0) <= 0.005


def weights(c, prefix="var/"):
    """Return `{original's name: array}` of the weights of a case stored under `prefix`."""
    return {key.removeprefix(prefix): value for key, value in c.golden.items() if key.startswith(prefix)}


def checkpoint_of(c, folder):
    """Return the stored checkpoint of a case, or write one of its weights and its state after training."""
    if c.checkpoint.parent.is_dir():
        return c.checkpoint
    values = weights(c)
    if "end/slot/t" in c:
        values = weights(c, "end/var/") | {n + AVERAGE: v for n, v in weights(c, "end/ema/").items()}
        values["Variable"] = c["end/slot/t"]
        for i, name in enumerate(c.trainable_names):
            values[f"Variable_{2 * i + 1}"] = c[f"end/slot/m2/{name}"]
            values[f"Variable_{2 * i + 2}"] = c[f"end/slot/m1/{name}"]
    write_checkpoint(folder / "model.ckpt", values)
    return folder / "model.ckpt"


def write_model(path, model):
    """Write a checkpoint of the weights of a `Glow` under the original's names."""
    write_checkpoint(path, {name: variable.numpy() for name, variable in original_names(model).items()})


def assert_weights(model, c, prefix):
    for name, variable in original_names(model).items():
        np.testing.assert_array_equal(variable, c[prefix + name], err_msg=name)


def write_checkpoint(path, values):
    """Write a checkpoint of `{name: array}` as the original's Saver does, without a .meta file."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {name: tf.compat.v1.Variable(value) for name, value in values.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(session, str(path), write_meta_graph=False)


def read_checkpoint(path):
    """Read a checkpoint as `{name: array}`."""
    reader = tf.train.load_checkpoint(str(path))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def freeze(path, values, use=None, inputs=()):
    """Write a frozen graph of `{name: array}`: one variable each, with the original's operation on it.

    `use(name, weight)` gives another operation, or None; `inputs` are `(name, shape)` of placeholders.
    """
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        outputs = []
        for name, value in values.items():
            weight = tf.compat.v1.get_variable(name, initializer=value, use_resource=False)
            used = None if use is None else use(name, weight)
            outputs.append(_original_use(name, weight) if used is None else used)
        for name, shape in inputs:
            outputs.append(tf.identity(tf.compat.v1.placeholder(tf.float32, shape, name)))
        session.run(tf.compat.v1.global_variables_initializer())
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [output.op.name for output in outputs]
        )
    path.write_bytes(frozen.SerializeToString())


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
    return {"b": lambda: 1.0 + weight, "logs": lambda: 3.0 * weight}.get(part, lambda: tf.identity(weight))()
