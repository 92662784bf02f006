"""A trained Glow as a SavedModel: `python -m glow_tf.export RUN OUT`.

It needs TensorFlow alone: neither this package, nor Keras, nor TFP. Images are uint8 `[n, H, W, C]`, n free.

| signature | inputs | outputs |
|---|---|---|
| `bits_per_dim` | `images`, `seed` int32 [2] | `bits_per_dim` [n] |
| `log_prob` | `images`, `seed` int32 [2] | `log_prob` [n], nats |
| `encode` | `images` | `eps_0`, `eps_1`, ..., finest level first; at the middle of each bin |
| `decode` | `eps_0`, `eps_1`, ... | `images`, and `x`, the floats in [-0.5, 0.5) before quantisation |
| `sample` | `count` int32 [], `temperature` float32 [], `seed` int32 [2] | `images`, `x` |
| `reconstruct` | `images` | `images`, `x` |
| `interpolate` | `first`, `second`: images, `steps` int32 [] | `images` [n, steps, H, W, C] |

Every signature of a conditional model takes `labels` int32 [n] as well (`sample`: [count]).
"""

import contextlib
import os
import pathlib
import shutil

import tensorflow as tf
import tyro

from glow_tf import quantization
from glow_tf.errors import run_command
from glow_tf.runs import RunError, load_model

SEED = tf.TensorSpec([2], tf.int32, "seed")


class Served(tf.Module):
    """The signatures of a `Glow`; holds its variables and nothing of Keras."""

    def __init__(self, glow):
        super().__init__(name="glow")
        self.weights = tuple(v.value for v in glow.weights)
        # Not an attribute that TensorFlow tracks: Keras objects stay out of the SavedModel.
        object.__setattr__(self, "_glow", glow)

    def signatures(self):
        """`{name: tf.function}` with their input signatures."""
        glow = self._glow
        images = tf.TensorSpec([None, None, None, None], tf.uint8, "images")
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
        return self._images(eps, self._labels(labels, tf.shape(eps[0])[0]))

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
        first, labels = self._checked(first, labels)
        second, _ = self._checked(second, labels)
        checks = [
            tf.debugging.assert_equal(tf.shape(first)[0], tf.shape(second)[0], "first, second: as many images of each"),
            tf.debugging.assert_greater_equal(steps, 2, "steps: expected at least 2"),
        ]
        with tf.control_dependencies(checks):
            weights = tf.linspace(0.0, 1.0, steps)
        ends = zip(self._glow.encode(first, labels), self._glow.encode(second, labels), strict=True)
        eps = [_between(a, b, tf.cast(weights, a.dtype)) for a, b in ends]
        labels = None if labels is None else tf.repeat(labels, steps)
        images = self._images(eps, labels)["images"]
        return {"images": tf.reshape(images, [-1, steps, *self._glow.image_shape])}

    # What they share.

    def _images(self, eps, labels):
        x, _ = self._glow.flow.decode(eps, labels)
        return {"images": quantization.to_uint8(x, self._glow.config.bits), "x": x}

    def _checked(self, images, labels):
        shape = self._glow.image_shape
        message = f"images: expected uint8 [n, {', '.join(map(str, shape))}]"
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(images)[1:], shape, message)]):
            images = tf.ensure_shape(tf.identity(images), [None, *shape])
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
    """A `tf.function` whose arguments are named as its specs."""
    return tf.function(method, input_signature=specs, autograph=False)


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
        overwrite: replace one that is there.

    Raises:
        RunError: `path` exists and is not to be replaced, or cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise RunError(f"{path} exists already; give another place, or --overwrite to replace it.")
    served = Served(glow)
    beside, old = (path.with_name(f".{os.getpid()}.{path.name}.{end}") for end in ("new", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tf.saved_model.save(served, str(beside), signatures=served.signatures())
        if path.exists():
            os.replace(path, old)
        os.replace(beside, path)
    except (OSError, tf.errors.OpError) as error:
        raise RunError(f"cannot write {path}: {str(error).splitlines()[0]}") from error
    finally:
        for folder in (beside, old):
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)


def command(run: str, out: str, /, average: bool = False, overwrite: bool = False):
    """Writes a trained Glow as a SavedModel that TensorFlow alone can load.

    Args:
        run: Run folder or .keras file.
        out: Folder to write.
        average: Export the averaged weights instead of the raw ones.
        overwrite: Replace OUT if it is there.
    """
    export(load_model(run, average), out, overwrite)
    print(f"{out}: a SavedModel of {run}, {'averaged' if average else 'raw'} weights")
    print(f"look at it: saved_model_cli show --dir {out} --all")


def main(arguments):
    tyro.cli(command, args=arguments, prog="python -m glow_tf.export")


if __name__ == "__main__":
    run_command(main, "python -m glow_tf.export")
