"""A trained Glow as a SavedModel: `python -m glow_tf.export RUN OUT`.

It needs TensorFlow alone: neither this package, nor Keras, nor TFP. Images are uint8 `[n, H, W, C]`, n at least 1.

| signature | inputs | outputs |
|---|---|---|
| `bits_per_dim` | `images`, `seed` int32 [2] | `bits_per_dim` [n] |
| `log_prob` | `images`, `seed` int32 [2] | `log_prob` [n], nats |
| `encode` | `images` | `eps_0`, `eps_1`, ..., finest level first; at the middle of each bin |
| `decode` | `eps_0`, `eps_1`, ... | `images`, and `x`, the floats in [-0.5, 0.5) before quantisation |
| `sample` | `count` int32 [], `temperature` float32 [], `seed` int32 [2] | `images`, `x` |
| `reconstruct` | `images` | `images`, `x` |
| `interpolate` | `first`, `second`: images, `steps` int32 [] | `images` [n, steps, H, W, C] |

Every signature of a conditional model takes `labels` int32 [n] as well (`sample`: [count]; `interpolate`: of both
images). Input of a wrong shape, type or range is an error that names the input. Give tensors: TensorFlow casts NumPy
arrays and numbers of another type without a word.
"""

import dataclasses
import os
import pathlib
import shutil
from typing import Annotated

import tensorflow as tf
import tyro

from glow_tf import quantization
from glow_tf.errors import run_command
from glow_tf.runs import RunError, load_model

SEED = tf.TensorSpec([2], tf.int32, "seed")


class Served(tf.Module):
    """The signatures of a `Glow`; holds variables and nothing of Keras.

    Computes with a copy of the model in full precision, that need not save memory for a gradient.
    """

    def __init__(self, glow):
        super().__init__(name="glow")
        config = dataclasses.replace(glow.config, network_dtype=None, recompute=False)
        copy = type(glow).from_config({**glow.get_config(), "config": dataclasses.asdict(config)})
        copy.set_weights(glow.get_weights())
        self.weights = tuple(v.value for v in copy.weights)
        # Not an attribute that TensorFlow tracks: Keras objects stay out of the SavedModel.
        object.__setattr__(self, "_glow", copy)

    def signatures(self):
        """`{name: tf.function}` with their input signatures."""
        glow = self._glow
        images = tf.TensorSpec([None, *glow.image_shape], tf.uint8, "images")
        first, second = (tf.TensorSpec(images.shape, tf.uint8, name) for name in ("first", "second"))
        eps = [
            tf.TensorSpec([None, *shape], glow.compute_dtype, f"eps_{i}") for i, shape in enumerate(glow.latent_shapes)
        ]
        count, steps = (tf.TensorSpec([], tf.int32, name) for name in ("count", "steps"))
        temperature = tf.TensorSpec([], tf.float32, "temperature")
        table = {
            self.bits_per_dim: (images, SEED),
            self.log_prob: (images, SEED),
            self.encode: (images,),
            self.decode: tuple(eps),
            self.sample: (count, temperature, SEED),
            self.reconstruct: (images,),
            self.interpolate: (first, second, steps),
        }
        labels = (tf.TensorSpec([None], tf.int32, "labels"),) if glow.config.classes else ()
        return {method.__name__: _function(method, (*specs, *labels)) for method, specs in table.items()}

    # The signatures; `labels` comes last, and only for a conditional model.

    def bits_per_dim(self, images, seed, labels=None):
        images, labels = self._checked(images, labels)
        return {"bits_per_dim": self._glow.bits_per_dim(images, labels, seed=seed)}

    def log_prob(self, images, seed, labels=None):
        images, labels = self._checked(images, labels)
        return {"log_prob": self._glow.log_prob(images, labels, seed=seed)}

    def encode(self, images, labels=None):
        images, labels = self._checked(images, labels)
        return {f"eps_{i}": e for i, e in enumerate(self._glow.encode(images, labels))}

    def decode(self, *eps_and_labels):
        levels = self._glow.config.levels
        eps, labels = list(eps_and_labels[:levels]), next(iter(eps_and_labels[levels:]), None)
        n = tf.shape(eps[0])[0]
        message = "eps_0, eps_1, ...: expected as many of each"
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(e)[0], n, message) for e in eps]):
            eps[0], n = _some(eps[0], "eps_0"), tf.identity(n)
        return self._images(eps, self._labels(labels, n))

    def sample(self, count, temperature, seed, labels=None):
        checks = [
            tf.debugging.assert_positive(count, "count: expected at least 1"),
            tf.debugging.assert_non_negative(temperature, "temperature: expected 0 or more"),
        ]
        with tf.control_dependencies(checks):
            eps = self._glow.sample_latents(tf.identity(count), temperature, seed=seed)
        return self._images(eps, self._labels(labels, count))

    def reconstruct(self, images, labels=None):
        images, labels = self._checked(images, labels)
        return self._images(self._glow.encode(images, labels), labels)

    def interpolate(self, first, second, steps, labels=None):
        counts = tf.shape(first)[0], tf.shape(second)[0]
        checks = [
            tf.debugging.assert_equal(*counts, "first, second: expected as many images of each"),
            tf.debugging.assert_greater_equal(steps, 2, "steps: expected at least 2"),
        ]
        with tf.control_dependencies(checks):
            first, weights = tf.identity(first), tf.linspace(0.0, 1.0, steps)
            first, labels = self._checked(first, labels, "first")
        ends = zip(self._glow.encode(first, labels), self._glow.encode(second, labels), strict=True)
        eps = [_between(a, b, tf.cast(weights, a.dtype)) for a, b in ends]
        labels = None if labels is None else tf.repeat(labels, steps)
        images = self._images(eps, labels)["images"]
        return {"images": tf.reshape(images, [-1, steps, *self._glow.image_shape])}

    # What they share.

    def _images(self, eps, labels):
        x, _ = self._glow.flow.decode(eps, labels)
        return {"images": quantization.to_uint8(x, self._glow.config.bits), "x": x}

    def _checked(self, images, labels, name="images"):
        images = _some(images, name)
        return images, self._labels(labels, tf.shape(images)[0])

    def _labels(self, labels, n):
        classes = self._glow.config.classes
        if not classes:
            return None
        checks = [
            tf.debugging.assert_equal(tf.shape(labels)[0], n, "labels: expected one per image"),
            tf.debugging.assert_non_negative(labels, f"labels: expected 0 to {classes - 1}"),
            tf.debugging.assert_less(labels, classes, f"labels: expected 0 to {classes - 1}"),
        ]
        with tf.control_dependencies(checks):
            return tf.identity(labels)


def _function(method, specs):
    """A `tf.function` whose arguments are named as its specs, and checked to have their shapes."""

    def checked(*values):
        # A signature does not look at shapes itself; the error of this operation names the input and both shapes.
        return method(*(tf.ensure_shape(value, spec.shape) for value, spec in zip(values, specs, strict=True)))

    checked.__name__ = method.__name__  # which TensorFlow's own errors give
    return tf.function(checked, input_signature=specs, autograph=False)


def _some(value, name):
    """The value, which must not be empty: TensorFlow's convolutions on a CPU fail on no images."""
    with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(value)[0], f"{name}: expected at least one")]):
        return tf.identity(value)


def _between(a, b, weights):
    """`[n, ...]` and `[n, ...]` -> `[n * steps, ...]`, linear in between."""
    w = tf.reshape(weights, [1, -1, *[1] * (len(a.shape) - 1)])
    mixed = (1 - w) * a[:, None] + w * b[:, None]
    return tf.reshape(mixed, [-1, *a.shape[1:]])


def export(glow, path, overwrite=False):
    """Writes a `Glow` as a SavedModel, beside its place first, then moved there.

    Args:
        glow: the model.
        path: of the folder to make.
        overwrite: replace the SavedModel that is there; nothing else is ever replaced.

    Raises:
        RunError: `path` exists and is not to be replaced, or cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists():
        if not (path / "saved_model.pb").is_file():
            raise RunError(f"{path} exists and is no SavedModel, so it will not be replaced; give another place.")
        if not overwrite:
            raise RunError(f"{path} exists already; give another place, or --overwrite to replace it.")
    beside, old = (path.with_name(f".{os.getpid()}.{path.name}.{end}") for end in ("new", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        served = Served(glow)
        tf.saved_model.save(served, str(beside), signatures=served.signatures())
        if path.exists():
            os.replace(path, old)
        os.replace(beside, path)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, tf.errors.OpError) as error:
        raise RunError(f"cannot write {path}: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def command(
    run: Annotated[str, tyro.conf.arg(metavar="RUN")],
    out: Annotated[str, tyro.conf.arg(metavar="OUT")],
    /,
    average: bool = False,
    overwrite: bool = False,
):
    """Writes a trained Glow as a SavedModel that TensorFlow alone can load.

    Args:
        run: Run folder or .keras file.
        out: Folder to write.
        average: Export a run's averaged weights instead of the raw ones.
        overwrite: Replace the SavedModel that is there.
    """
    export(load_model(run, average), out, overwrite)
    print(f"{out}: a SavedModel of {run}{', averaged weights' if average else ''}")
    print(f"look at it: saved_model_cli show --dir {out} --all")


def main(arguments):
    tyro.cli(command, args=arguments, prog="python -m glow_tf.export", config=(tyro.conf.FlagCreatePairsOff,))


if __name__ == "__main__":
    run_command(main, "python -m glow_tf.export")
