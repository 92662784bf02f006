"""`Glow`: likelihood, sampling, encoding and decoding of uint8 images."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from glow_tf import quantization, summary
from glow_tf.arguments import check_count, check_temperature
from glow_tf.autograph import without_autograph
from glow_tf.config import ModelConfig
from glow_tf.image_flow import ImageFlow
from glow_tf.labels import nan_where_invalid
from glow_tf.layers.network import mixed_precision
from glow_tf.layers.tensors import standard_normal_log_prob
from glow_tf.layers.zero_layers import ZeroDense
from glow_tf.model_files import FromPreset
from glow_tf.random import as_dtype, fresh_seed, standard_normal
from glow_tf.sealed_weights import SealedWeights
from glow_tf.tfp_adapters import TfpAdapters
from glow_tf.types import Config, Latents, Tensor, TensorLike


@keras.saving.register_keras_serializable("glow_tf")
class Glow(FromPreset, SealedWeights, TfpAdapters, ImageFlow):
    """Glow (Kingma & Dhariwal, 2018): a `keras.Model` over uint8 images `[n, H, W, C]`.

    All methods use one flow, `self.flow`, from float images `x` in [-0.5, 0.5) to a list of standard normal latents
    `eps`, finest level first. Methods that dequantize take `seed` or `noise`. `seed` is one int or two; None draws a
    fresh seed in an eager call and is an error inside a `tf.function`. `noise` is uniform in [0, 1), of the images'
    shape. For the same seed, code compiled by XLA draws other random numbers.
    A conditional model requires `labels`, integers from 0 to `classes - 1`: `[n]`, `[n, 1]` or one for all. Others are
    an error; under XLA a label out of range gives NaN, or a black image. An unconditional model refuses labels.

    Args:
        config: a `ModelConfig`, or a dictionary of its fields.
        dtype: `"float32"` or `"float64"`, the dtype of all weights and computations.

    Attributes:
        config: the `ModelConfig`.
        flow: the `GlowFlow`.
        classifier: the classifier of a conditional model with `weight_y > 0`, else None.

    Raises:
        TypeError: `config` is not a `ModelConfig`, or fields of one are given beside it.
        ValueError: `dtype` is neither float32 nor float64.

    Source: https://arxiv.org/abs/1807.03039.

    Example:
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> images = glow.sample(4, temperature=0.7, seed=0)
        >>> images.shape
        TensorShape([4, 8, 8, 1])
        >>> glow.initialize(images, seed=1)
        >>> glow.bits_per_dim(images, seed=2).shape
        TensorShape([4])
        >>> [tuple(eps.shape) for eps in glow.encode(images)]
        [(4, 4, 4, 2), (4, 2, 2, 8)]
        >>> bool(tf.reduce_all(glow.decode(glow.encode(images)) == images))
        True
    """

    def __init__(self, config: ModelConfig | Config | None = None, *, dtype: str = "float32", **kwargs: Any) -> None:
        super().__init__(config, dtype=dtype, **kwargs)
        self.classifier: ZeroDense | None = None
        if self.config.classes and self.config.weight_y:
            self.classifier = ZeroDense(self.config.classes, dtype=dtype, name="classifier")
            self.classifier.build((None, self.latent_shapes[-1][-1]))
        self.built = True

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms of `objective` that training averages and logs."""
        return ("loss", "bits_x") if self.classifier is None else ("loss", "bits_x", "bits_y", "error")

    # Likelihood.

    def log_prob(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> Tensor:
        """Compute a one-draw lower bound on `log P(image | label)` in nats (paper, section 2, equation 2).

        Args:
            images: uint8 `[n, H, W, C]`.
            labels: int `[n]`, or one for all, for a conditional model.
            seed: seed of the dequantization noise, an int or two.
            noise: the noise itself, in [0, 1), in place of a seed.

        Returns:
            The bound, `[n]`.

        Raises:
            TypeError: the images are not uint8, or the labels not integers.
            ValueError: a shape or a value is wrong, or labels are missing or not taken.
        """
        return self.objective(images, labels, seed=seed, noise=noise)["log_prob"]

    def bits_per_dim(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> Tensor:
        """Compute `-log_prob / (D log 2)`, `[n]`, with D = H * W * C: the bits/dim that the paper reports.

        Arguments and errors are those of `log_prob`.
        """
        return quantization.bits_per_dim(self.log_prob(images, labels, seed=seed, noise=noise), self.image_shape)

    @without_autograph
    def objective(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> dict[str, Tensor]:
        """Compute all terms of the loss; arguments and errors are those of `log_prob`.

        Returns:
            A dictionary of tensors `[n]`: `log_prob` (nats), `bits_x` (bits/dim) and
            `loss = bits_x + weight_y * bits_y`. With a classifier also `bits_y`, its cross-entropy in bits, and
            `error`, which is 0 where the classifier predicts the label and 1 elsewhere.
        """
        x = self.dequantize(images, seed=seed, noise=noise)
        labels = self._labels(labels, tf.shape(x)[0])
        latents, log_det = self.flow.encode_to_top(x)
        top = latents[-1]
        latents, log_det = self.flow.whiten_top(latents, log_det, labels)
        log_prob = log_det + standard_normal_log_prob(latents) - self.config.dims * self.config.bits * math.log(2.0)
        bits_x = quantization.bits_per_dim(log_prob, self.image_shape)
        terms = {"loss": bits_x, "bits_x": bits_x, "log_prob": log_prob}
        if self.classifier is not None:
            assert labels is not None  # a model with a classifier is conditional
            logits = self.classifier(tf.reduce_mean(top, [1, 2]))
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            terms["bits_y"] = cross_entropy / math.log(2.0)
            error = tf.cast(tf.argmax(logits, -1, tf.int32) != labels, x.dtype)
            error = tf.where(tf.math.is_nan(cross_entropy), cross_entropy, error)  # argmax of NaN would be class 0
            terms["error"] = nan_where_invalid(error, labels)
            terms["loss"] = bits_x + self.config.weight_y * terms["bits_y"]
        return terms

    @without_autograph
    def classify(
        self, images: TensorLike, *, seed: TensorLike | None = None, noise: TensorLike | None = None
    ) -> Tensor:
        """Compute the classifier's logits `[n, classes]`.

        Args:
            images: uint8 `[n, H, W, C]`.
            seed: seed of the dequantization noise; without seed and noise, values are at the middle of their bins.
            noise: the noise itself, in [0, 1), in place of a seed.

        Raises:
            ValueError: this model has no classifier.
        """
        if self.classifier is None:
            raise ValueError("classify: this model has no classifier; configure classes > 0 and weight_y > 0.")
        noise = 0.5 if seed is None and noise is None else noise
        latents, _ = self.flow.encode_to_top(self.dequantize(images, seed=seed, noise=noise))
        return self.classifier(tf.reduce_mean(latents[-1], [1, 2]))

    # Samples.

    @without_autograph
    def sample(
        self,
        n: int | Tensor,
        temperature: TensorLike = 1.0,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        mixed: bool = False,
    ) -> Tensor:
        """Draw uint8 images.

        Args:
            n: number of images; 0 gives none.
            temperature: the standard deviation of every latent, 0 or more, a scalar or one per image (paper, section 6:
                0.7).
            labels: int `[n]`, or one for all, for a conditional model.
            seed: an int or two; the same seed gives the same images.
            mixed: compute the networks in the configuration's `network_dtype`; the images then differ slightly.

        Returns:
            Images, uint8 `[n, H, W, C]`.

        Raises:
            TypeError: the temperature or a label is of a wrong type.
            ValueError: a number is out of range, or labels are missing or not taken.
        """
        with mixed_precision(mixed):
            return self._decode(self.sample_latents(n, temperature, seed=seed), self._labels(labels, n))

    @without_autograph
    def sample_latents(
        self, n: int | Tensor, temperature: TensorLike = 1.0, *, seed: TensorLike | None = None
    ) -> Latents:
        """Draw `eps` for `n` images, with the temperature as standard deviation; arguments are those of `sample`."""
        n, temperature = check_count(n, "sample"), check_temperature(temperature, "sample", n)
        eps = standard_normal(n, self.latent_shapes, fresh_seed(seed, "sample"), self.compute_dtype)
        scale = tf.reshape(tf.broadcast_to(as_dtype(temperature, self.compute_dtype), [n]), [n, 1, 1, 1])
        return [scale * e for e in eps]

    def describe(self) -> str:
        """Return a table of the model as text: shapes, steps, parameters and multiply-adds by level."""
        return summary.describe(self)
