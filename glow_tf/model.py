"""`Glow`: likelihood, sampling, encoding and decoding of uint8 images by one configuration."""

import dataclasses
import math

import keras
import tensorflow as tf

from glow_tf import quantization
from glow_tf.config import ModelConfig
from glow_tf.fitting import LikelihoodModel
from glow_tf.layers.flow import package, value_map
from glow_tf.layers.multiscale import GlowFlow
from glow_tf.layers.network import ZeroDense, mixed_precision


def quantity(value, dtype):
    """A number or tensor in `dtype`; `tf.cast` alone would round a Python float to float32 on its way to float64."""
    return tf.cast(tf.convert_to_tensor(value, dtype_hint=dtype), dtype)


def fresh_seed(seed, what):
    """A seed int32 `[2]` for stateless random numbers; `None` draws one, in an eager call only."""
    if seed is None:
        if not tf.executing_eagerly():
            raise ValueError(
                f"{what}: inside a tf.function randomness must be given: pass seed=[int, int] (a tensor may vary "
                "from call to call) or the noise itself. A seed drawn here would be the same in every call."
            )
        return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    seed = tf.cast(tf.convert_to_tensor(seed), tf.int32)
    return tf.stack([seed, 0]) if seed.shape.rank == 0 else seed


@keras.saving.register_keras_serializable(package)
class Glow(LikelihoodModel):
    """Glow (Kingma & Dhariwal, 2018): a `keras.Model` over uint8 images `[n, H, W, C]`.

    Args:
        config: a `ModelConfig`.
        dtype: `"float32"` or `"float64"`, of all weights and computations.

    Everything acts on one flow, `self.flow`, from float images `x` in [-0.5, 0.5) to a list of standard normal
    latents `eps`, finest level first. Methods that dequantise take `seed` (an int or two; None draws a fresh one
    in an eager call and is an error inside a `tf.function`) or `noise`, uniform in [0, 1) of the images' shape.
    `labels`, int `[n]`, are required by a conditional model and refused by another.
    """

    def __init__(self, config, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.config = config if isinstance(config, ModelConfig) else ModelConfig(**config)
        c = self.config
        self.flow = GlowFlow(
            levels=c.levels,
            depth=c.depth,
            width=c.width,
            permutation=c.permutation,
            coupling=c.coupling,
            scale=c.scale,
            network_dtype=c.network_dtype,
            recompute=c.recomputes,
            learn_top=c.learn_top,
            classes=c.classes,
            seed=c.init_seed,
            dtype=dtype,
            name="flow",
        )
        self.flow.build((None, *c.image_shape))
        if c.classes and c.weight_y:
            self.classifier = ZeroDense(c.classes, dtype=dtype, name="classifier")
            self.classifier.build((None, self.latent_shapes[-1][-1]))
        self.built = True

    @property
    def image_shape(self):
        """`(H, W, C)`."""
        return self.config.image_shape

    @property
    def latent_shapes(self):
        """The event shapes of the latents, finest level first."""
        return self.flow.latent_shape(self.image_shape)

    # Likelihood.

    def log_prob(self, images, labels=None, *, seed=None, noise=None):
        """A one-draw lower bound on `log P(image | label)` in nats, `[n]` (paper, equation 2 and section 2)."""
        return self.objective(images, labels, seed=seed, noise=noise)["log_prob"]

    def bits_per_dim(self, images, labels=None, *, seed=None, noise=None):
        """`-log_prob / (D log 2)`, `[n]`: what the paper reports."""
        return quantization.bits_per_dim(self.log_prob(images, labels, seed=seed, noise=noise), self.image_shape)

    def objective(self, images, labels=None, *, seed=None, noise=None):
        """All terms of the loss, a dictionary of `[n]` tensors.

        `log_prob` (nats), `bits_x` (bits/dim) and `loss = bits_x + weight_y * bits_y`; with a classifier also
        `bits_y`, its cross-entropy in bits, and `error`, 0 where it names the label and else 1.
        """
        x = self.dequantize(images, seed=seed, noise=noise)
        labels = self._labels(labels, tf.shape(x)[0])
        latents, log_det = self.flow.encode_to_top(x)
        top = latents[-1]
        latents, log_det = self.flow.whiten_top(latents, log_det, labels)
        log_prob = log_det + standard_normal_log_prob(latents) - self.config.dims * self.config.bits * math.log(2.0)
        bits_x = quantization.bits_per_dim(log_prob, self.image_shape)
        terms = {"loss": bits_x, "bits_x": bits_x, "log_prob": log_prob}
        if hasattr(self, "classifier"):
            logits = self.classifier(tf.reduce_mean(top, [1, 2]))
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            terms["bits_y"] = cross_entropy / math.log(2.0)
            terms["error"] = tf.cast(tf.argmax(logits, -1, tf.int32) != labels, x.dtype)
            terms["loss"] = bits_x + self.config.weight_y * terms["bits_y"]
        return terms

    def classify(self, images, *, seed=None, noise=None):
        """The classifier's logits `[n, classes]`; without seed or noise at the middle of each bin."""
        if not hasattr(self, "classifier"):
            raise ValueError("classify: this model has no classifier; configure classes > 0 and weight_y > 0.")
        noise = 0.5 if seed is None and noise is None else noise
        latents, _ = self.flow.encode_to_top(self.dequantize(images, seed=seed, noise=noise))
        return self.classifier(tf.reduce_mean(latents[-1], [1, 2]))

    # Latents and images.

    def encode(self, images, labels=None, *, seed=None, noise=None):
        """Images -> `eps`, the list of latents, finest level first.

        Without seed or noise at the middle of each bin, so that `decode(encode(x))` is `quantize(x)`: x at 8 bits.
        """
        noise = 0.5 if seed is None and noise is None else noise
        x = self.dequantize(images, seed=seed, noise=noise)
        with mixed_precision(False):
            return self.flow.encode(x, self._labels(labels, tf.shape(x)[0]))[0]

    def decode(self, eps, labels=None):
        """`eps` -> uint8 images."""
        with mixed_precision(False):
            return self._decode(eps, labels)

    def _decode(self, eps, labels):
        eps = value_map(lambda e: tf.cast(e, self.compute_dtype), list(eps))
        x, _ = self.flow.decode(eps, self._labels(labels, tf.shape(eps[0])[0]))
        return quantization.to_uint8(x, self.config.bits)

    def sample(self, n, temperature=1.0, labels=None, *, seed=None, mixed=False):
        """Draws `n` uint8 images.

        Args:
            n: how many.
            temperature: the standard deviation of every latent, a scalar or one per image (paper, section 6: 0.7).
            labels: int `[n]`, or one for all, for a conditional model.
            seed: an int or two; the same seed gives the same images.
            mixed: compute the networks in the configuration's `network_dtype`: faster, slightly other images.
        """
        with mixed_precision(mixed):
            return self._decode(self.sample_latents(n, temperature, seed=seed), self._labels(labels, n))

    def sample_latents(self, n, temperature=1.0, *, seed=None):
        """Draws `eps` for `n` images, every latent times the temperature."""
        seeds = tf.random.split(fresh_seed(seed, "sample"), self.config.levels)
        scale = tf.reshape(tf.broadcast_to(quantity(temperature, self.compute_dtype), [n]), [n, 1, 1, 1])
        return [
            scale * tf.random.stateless_normal([n, *shape], seeds[i], dtype=self.compute_dtype)
            for i, shape in enumerate(self.latent_shapes)
        ]

    def initialize(self, images, labels=None, *, seed=None, noise=None):
        """Data-dependent initialisation of all actnorms from one batch (paper, section 3.1); for a fresh model."""
        x = self.dequantize(images, seed=seed, noise=noise)
        self.flow.initialize(x, self._labels(labels, tf.shape(x)[0]))

    def dequantize(self, images, *, seed=None, noise=None):
        """uint8 images -> `x` in [-0.5, 0.5) (see `quantization.dequantize`), after checking them."""
        images = self._images(images)
        if noise is None:
            seed = fresh_seed(seed, "dequantisation")
            noise = tf.random.stateless_uniform(tf.shape(images), seed, dtype=self.compute_dtype)
        return quantization.dequantize(images, self.config.bits, noise, self.compute_dtype)

    def distribution(self, temperature=1.0, labels=None, *, flat=False, discrete=False, draws=1, seed=None):
        """This model as a `tfd.Distribution` (see `glow_tf.distribution`).

        Args:
            temperature: standard deviation of every latent.
            labels: int `[n]` of a conditional model, which give batch shape `[n]`.
            flat: of the continuous one: latents as one vector, finest level first, instead of a list.
            discrete: over uint8 images instead of floats in [-0.5, 0.5); with `draws` and `seed` of the
                dequantisation noise, whose bound `log_prob` is.
        """
        if self.config.classes and labels is None:
            raise ValueError(f"distribution: this model is conditional on {self.config.classes} classes; give labels.")
        from glow_tf.distribution import DiscreteGlow, continuous  # here, because TFP takes a second to import

        if discrete:
            return DiscreteGlow(self, temperature, labels, draws, seed)
        return continuous(self, temperature, labels, flat)

    def as_bijector(self, event_shape=None, condition=None, name=None):
        """The flow as a `tfb.Bijector` over this model's own weights: forward = list of latents -> image `x`.

        Args:
            event_shape: of one image, as flow layers take it; by default the model's `(H, W, C)`.
            condition: labels of a conditional model, int, that broadcast against the leading dimensions, or None.
            name: name of the bijector.
        """
        return self.flow.as_bijector(event_shape or self.image_shape, condition, name or self.name)

    # The Keras face.

    def call(self, images, labels=None):
        """`encode` at the middle of each bin."""
        return self.encode(images, labels)

    def describe(self):
        """A table of the model, level by level, as text: shapes, steps, parameters, multiply-adds per image."""
        rows = [("level", "steps act on", "latent", "steps", "parameters", "multiply-adds / image")]
        (height, width, channels), c = self.image_shape, self.config
        total = 0
        for level in range(c.levels):
            height, width, channels = height // 2, width // 2, channels * 4
            steps, split = self.flow.steps(level), self.flow.split(level)
            parts = [*steps, split] if split else [*steps, self.flow.prior]
            outputs = channels if c.coupling == "affine" else channels // 2
            per_step = 9 * channels // 2 * c.width + c.width**2 + 9 * c.width * outputs
            if c.permutation in ("1x1", "lu"):
                per_step += channels**2
            operations = height * width * (c.depth * per_step + (9 * channels // 2 * channels if split else 0))
            total += operations
            rows.append(
                (
                    level,
                    f"{height}x{width}x{channels}",
                    "x".join(map(str, self.latent_shapes[level])),
                    f"{c.depth} x ({c.permutation}, {c.coupling})",
                    f"{sum(p.count_params() for p in parts):,}",
                    f"{operations:,}",
                )
            )
            if split:
                channels //= 2
        if hasattr(self, "classifier"):
            rows.append(("classifier", "", "", "", f"{self.classifier.count_params():,}", ""))
        rows.append(("total", "", "", "", f"{self.count_params():,}", f"{total:,}"))
        widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(str(v).ljust(w) for v, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)

    def get_config(self):
        return {"config": dataclasses.asdict(self.config), "dtype": self.compute_dtype, "name": self.name}

    # Checks.

    def _images(self, images):
        images = tf.convert_to_tensor(images)
        if images.dtype != tf.uint8:
            raise TypeError(f"Glow: expected uint8 images with values 0 to 255, got {images.dtype.name}.")
        if images.shape.rank != 4 or not images.shape[1:].is_compatible_with(self.image_shape):
            raise ValueError(f"Glow: expected images [n, {', '.join(map(str, self.image_shape))}], got {images.shape}.")
        return images

    def _labels(self, labels, n):
        if not self.config.classes:
            if labels is not None:
                raise ValueError("Glow: this model is unconditional and takes no labels.")
            return None
        if labels is None:
            raise ValueError(
                f"Glow: this model is conditional on {self.config.classes} classes; give labels, int from 0 to "
                f"{self.config.classes - 1}, one per image."
            )
        labels = tf.convert_to_tensor(labels)
        if not labels.dtype.is_integer:
            raise TypeError(f"Glow: expected integer labels, got {labels.dtype.name}.")
        if tf.executing_eagerly() and tf.size(labels) > 0:
            low, high = int(tf.reduce_min(labels)), int(tf.reduce_max(labels))
            if low < 0 or high >= self.config.classes:
                raise ValueError(f"Glow: expected labels from 0 to {self.config.classes - 1}, got {low} to {high}.")
        return tf.broadcast_to(tf.cast(labels, tf.int32), [n])


def standard_normal_log_prob(latents):
    """`log N(eps; 0, I)` summed over the list of latents, `[n]`."""
    return tf.add_n([-0.5 * tf.reduce_sum(tf.square(e) + math.log(2.0 * math.pi), axis=[1, 2, 3]) for e in latents])
