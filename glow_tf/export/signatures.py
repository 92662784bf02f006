"""The signatures of the SavedModel of a trained Glow.

A SavedModel needs only TensorFlow, not this package, Keras or TFP. Images are uint8 `[n, H, W, C]`, with n at least 1.
The names below are a file format:

| signature | inputs | outputs |
|---|---|---|
| `bits_per_dim` | `images`, `seed` int32 [2] | `bits_per_dim` [n] |
| `log_prob` | `images`, `seed` int32 [2] | `log_prob` [n], nats |
| `encode` | `images` | `eps_0`, `eps_1`, ..., finest level first; at the middle of each bin |
| `decode` | `eps_0`, `eps_1`, ... | `images`, and `x`, the floats before clipping to [-0.5, 0.5) and quantization |
| `sample` | `count` int32 [], `temperature` float32 [], `seed` int32 [2] | `images`, `x` |
| `reconstruct` | `images` | `images`, `x` |
| `interpolate` | `first`, `second`: images, `steps` int32 [] | `images` [n, steps, H, W, C] |

Every signature of a conditional model also takes `labels`, int32 [n] (`sample`: [count]; `interpolate`: one for both
images of a pair). Input of a wrong shape, type or range raises an error that names the input. Pass tensors: TensorFlow
silently casts NumPy arrays and numbers of another type.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from glow_tf import quantization
from glow_tf.interpolation import interpolate_latents
from glow_tf.labels import labels_per_image
from glow_tf.layers.shared_steps import inlinable_steps
from glow_tf.model import Glow
from glow_tf.types import Latents, Tensor

Outputs: TypeAlias = dict[str, Tensor]
"""The outputs of a signature by name."""

SEED = tf.TensorSpec([2], tf.int32, "seed")


class ServingModule(tf.Module):
    """Define the signatures of a `Glow`; the module tracks variables and no Keras objects.

    It uses a copy of the model, in its dtype, without mixed precision and recomputation.

    Args:
        glow: a `Glow`.
        litert: trace the flow steps so that a converter can inline them.
    """

    _glow: Glow

    def __init__(self, glow: Glow, litert: bool = False) -> None:
        super().__init__(name="glow")
        self._litert = litert
        config = dataclasses.replace(glow.config, network_dtype=None, recompute=False)
        copy = type(glow).from_config({**glow.get_config(), "config": dataclasses.asdict(config)})
        copy.set_weights(glow.get_weights())
        self.weights = tuple(v.value for v in copy.weights)
        # Not an attribute that TensorFlow tracks: Keras objects stay out of the SavedModel.
        object.__setattr__(self, "_glow", copy)

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """Return `{name: tf.function}`, each with its input signature."""
        glow = self._glow
        images = tf.TensorSpec([None, *glow.image_shape], tf.uint8, "images")
        first, second = (tf.TensorSpec(images.shape, tf.uint8, name) for name in ("first", "second"))
        eps = tuple(
            tf.TensorSpec([None, *shape], glow.compute_dtype, f"eps_{i}") for i, shape in enumerate(glow.latent_shapes)
        )
        count, steps = (tf.TensorSpec([], tf.int32, name) for name in ("count", "steps"))
        temperature = tf.TensorSpec([], tf.float32, "temperature")
        inputs = {
            "bits_per_dim": (images, SEED),
            "log_prob": (images, SEED),
            "encode": (images,),
            "decode": eps,
            "sample": (count, temperature, SEED),
            "reconstruct": (images,),
            "interpolate": (first, second, steps),
        }
        labels = (tf.TensorSpec([None], tf.int32, "labels"),) if glow.config.classes else ()
        context = inlinable_steps if self._litert else contextlib.nullcontext
        return {
            name: _make_signature(getattr(self, name), (*specs, *labels), context) for name, specs in inputs.items()
        }

    # The signatures, in the order of the table above. Each gets its inputs by name, `labels` only if conditional.

    def bits_per_dim(self, images: Tensor, seed: Tensor, labels: Tensor | None = None) -> Outputs:
        """Compute bits/dim with one draw of the dequantization noise."""
        images, labels = self._check_images(images, labels)
        return {"bits_per_dim": self._glow.bits_per_dim(images, labels, seed=seed)}

    def log_prob(self, images: Tensor, seed: Tensor, labels: Tensor | None = None) -> Outputs:
        """Compute the log-likelihood bound in nats with one draw of the dequantization noise."""
        images, labels = self._check_images(images, labels)
        return {"log_prob": self._glow.log_prob(images, labels, seed=seed)}

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Outputs:
        """Encode images to latents."""
        images, labels = self._check_images(images, labels)
        return {f"eps_{i}": e for i, e in enumerate(self._glow.encode(images, labels))}

    def decode(self, labels: Tensor | None = None, **latents: Tensor) -> Outputs:
        """Decode latents `eps_0`, `eps_1`, ... to images."""
        eps = [latents[f"eps_{i}"] for i in range(self._glow.config.levels)]
        eps = [tf.debugging.assert_all_finite(e, f"eps_{i}: expected finite latents") for i, e in enumerate(eps)]
        n = tf.shape(eps[0])[0]
        message = "eps_0, eps_1, ...: expected as many of each"
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(e)[0], n, message) for e in eps]):
            eps[0], n = _require_nonempty(eps[0], "eps_0"), tf.identity(n)
        return self._decode_to_images(eps, self._check_labels(labels, n))

    def sample(self, count: Tensor, temperature: Tensor, seed: Tensor, labels: Tensor | None = None) -> Outputs:
        """Draw images."""
        checks = [
            tf.debugging.assert_positive(count, "count: expected at least 1"),
            tf.debugging.assert_non_negative(temperature, "temperature: expected 0 or more"),
            tf.debugging.assert_less(temperature, math.inf, "temperature: expected a finite number"),
        ]
        with tf.control_dependencies(checks):
            eps = self._glow.sample_latents(tf.identity(count), temperature, seed=seed)
        return self._decode_to_images(eps, self._check_labels(labels, count))

    def reconstruct(self, images: Tensor, labels: Tensor | None = None) -> Outputs:
        """Encode images and decode their latents."""
        images, labels = self._check_images(images, labels)
        return self._decode_to_images(self._glow.encode(images, labels), labels)

    def interpolate(self, first: Tensor, second: Tensor, steps: Tensor, labels: Tensor | None = None) -> Outputs:
        """Compute images between pairs of images by linear interpolation of the latents, ends included."""
        counts = tf.shape(first)[0], tf.shape(second)[0]
        checks = [
            tf.debugging.assert_equal(*counts, "first, second: expected as many images of each"),
            tf.debugging.assert_greater_equal(steps, 2, "steps: expected at least 2"),
        ]
        with tf.control_dependencies(checks):
            first, weights = tf.identity(first), tf.linspace(0.0, 1.0, steps)
            first, labels = self._check_images(first, labels, "first")
        ends = self._glow.encode(first, labels), self._glow.encode(second, labels)
        eps = interpolate_latents(*ends, weights)
        labels = None if labels is None else tf.repeat(labels, steps)
        images = self._decode_to_images(eps, labels)["images"]
        return {"images": tf.reshape(images, [-1, steps, *self._glow.image_shape])}

    # Parts that several signatures share.

    def _decode_to_images(self, eps: Latents, labels: Tensor | None) -> Outputs:
        x, _ = self._glow.flow.decode(eps, labels)
        return {"images": quantization.to_uint8(x, self._glow.config.bits), "x": x}

    def _check_images(
        self, images: Tensor, labels: Tensor | None, name: str = "images"
    ) -> tuple[Tensor, Tensor | None]:
        images = _require_nonempty(images, name)
        return images, self._check_labels(labels, tf.shape(images)[0])

    def _check_labels(self, labels: Tensor | None, n: Tensor) -> Tensor | None:
        if not self._glow.config.classes:
            return None
        with tf.control_dependencies([tf.debugging.assert_equal(tf.size(labels), n, "labels: expected one per image")]):
            return labels_per_image(tf.identity(labels), self._glow.config.classes, n, "labels")


def _make_signature(
    method: Callable[..., Outputs],
    specs: Sequence[tf.TensorSpec],
    context: Callable[[], contextlib.AbstractContextManager[None]],
) -> tf.types.experimental.PolymorphicFunction:
    """Return a `tf.function` of `method`, traced in a context, whose inputs are named and shaped as `specs`."""

    def checked(*values: Tensor) -> Outputs:
        # A signature does not check shapes itself; the error of this operation names the input and both shapes.
        inputs = {
            str(spec.name): tf.ensure_shape(value, spec.shape, name=f"shape_of_{spec.name}")
            for spec, value in zip(specs, values, strict=True)
        }
        with context():
            return method(**inputs)

    checked.__name__ = method.__name__  # TensorFlow's own errors name it
    return tf.function(checked, input_signature=specs, autograph=False)


def _require_nonempty(value: Tensor, name: str) -> Tensor:
    """Return `value` after checking that it holds an example: TensorFlow's convolutions on a CPU fail on no images."""
    with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(value)[0], f"{name}: expected at least one")]):
        return tf.identity(value)
