"""`Glow`: likelihood, sampling, encoding and decoding of uint8 images."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from glow_tf import quantization, summary
from glow_tf.arguments import check_count, check_latents, check_noise, check_temperature, to_bytes
from glow_tf.config import ModelConfig
from glow_tf.deprecation import warn_renamed
from glow_tf.labels import (
    check_range,
    label_vector,
    labels_per_image,
    nan_where_invalid,
    require_labels,
    to_tensor,
)
from glow_tf.layers.glow_flow import GlowFlow
from glow_tf.layers.keras_contract import require_full_precision
from glow_tf.layers.loading import forget_problems
from glow_tf.layers.network import mixed_precision
from glow_tf.layers.tensors import standard_normal_log_prob
from glow_tf.layers.zero_layers import ZeroDense
from glow_tf.likelihood_training import LikelihoodTraining
from glow_tf.model_files import FromPreset
from glow_tf.random import as_dtype, fresh_seed
from glow_tf.types import Config, Latents, ShapeLike, Tensor, TensorLike
from glow_tf.weights_file import SealedWeights

if TYPE_CHECKING:
    from glow_tf.bijector import LayerBijector
    from glow_tf.distributions import ContinuousGlow, DiscreteGlow


@keras.saving.register_keras_serializable("glow_tf")
class Glow(FromPreset, SealedWeights, LikelihoodTraining):
    """Glow (Kingma & Dhariwal, 2018): a `keras.Model` over uint8 images `[n, H, W, C]`.

    Everything uses one flow, `self.flow`, from float images `x` in [-0.5, 0.5) to a list of standard normal
    latents `eps`, finest level first. Methods that dequantize take `seed` (an int or two; None draws a fresh one
    in an eager call and is an error inside a `tf.function`) or `noise`, uniform in [0, 1) of the images' shape.
    Compiled by XLA, TensorFlow draws other random numbers for the same seed.
    `labels`, int `[n]`, `[n, 1]` or one for all, are required by a conditional model and refused by an unconditional
    one; the rule is in `glow_tf.labels`.

    Args:
        config: a `ModelConfig`, or a dictionary of its fields.
        dtype: `"float32"` or `"float64"`, of all weights and computations.

    Attributes:
        config: the `ModelConfig`.
        flow: the `GlowFlow`.
        classifier: the classifier of a conditional model with `weight_y > 0`, else None.

    Raises:
        TypeError: `config` is no `ModelConfig`.
        ValueError: `dtype` is another one.

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

    def __init__(self, config: ModelConfig | Config, *, dtype: str = "float32", **kwargs: Any) -> None:
        super().__init__(dtype=dtype, **kwargs)
        require_full_precision(self)
        if not isinstance(config, ModelConfig | dict):
            hint = "; give its .model" if hasattr(config, "model") else ""
            raise TypeError(f"Glow: expected a ModelConfig, got {type(config).__name__}{hint}.")
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
        self.classifier: ZeroDense | None = None
        if c.classes and c.weight_y:
            self.classifier = ZeroDense(c.classes, dtype=dtype, name="classifier")
            self.classifier.build((None, self.latent_shapes[-1][-1]))
        self.built = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape of an image, `(H, W, C)`."""
        return self.config.image_shape

    @property
    def latent_shapes(self) -> list[tuple[int, ...]]:
        """The event shapes of the latents, finest level first."""
        return list(self.flow.encoded_shape(self.image_shape))

    @property
    def takes_labels(self) -> bool:
        """True for a conditional model."""
        return self.config.classes > 0

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
            `loss = bits_x + weight_y * bits_y`; with a classifier also `bits_y`, its cross-entropy in bits, and
            `error`, 0 where it predicts the label and else 1.
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
            terms["error"] = nan_where_invalid(error, labels)
            terms["loss"] = bits_x + self.config.weight_y * terms["bits_y"]
        return terms

    def classify(
        self, images: TensorLike, *, seed: TensorLike | None = None, noise: TensorLike | None = None
    ) -> Tensor:
        """Compute the classifier's logits `[n, classes]`.

        Args:
            images: uint8 `[n, H, W, C]`.
            seed: seed of the dequantization noise; without seed and noise, images are at the middle of each bin.
            noise: the noise itself, in [0, 1), in place of a seed.

        Raises:
            ValueError: this model has no classifier.
        """
        if self.classifier is None:
            raise ValueError("classify: this model has no classifier; configure classes > 0 and weight_y > 0.")
        noise = 0.5 if seed is None and noise is None else noise
        latents, _ = self.flow.encode_to_top(self.dequantize(images, seed=seed, noise=noise))
        return self.classifier(tf.reduce_mean(latents[-1], [1, 2]))

    # Latents and images.

    def encode(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> Latents:
        """Map uint8 images to `eps`, the list of latents, finest level first.

        Without seed and noise, images are at the middle of each bin, so that `decode(encode(x))` is `quantize(x)`,
        which is x itself at 8 bits.

        Args:
            images: uint8 `[n, H, W, C]`.
            labels: int `[n]`, or one for all, for a conditional model.
            seed: seed of the dequantization noise, an int or two.
            noise: the noise itself, in [0, 1), in place of a seed.

        Returns:
            The latents `[n, h, w, c]`, whose shapes are `latent_shapes`.

        Raises:
            TypeError: the images are not uint8, or the labels not integers.
            ValueError: a shape or a value is wrong, or labels are missing or not taken.
        """
        noise = 0.5 if seed is None and noise is None else noise
        x = self.dequantize(images, seed=seed, noise=noise)
        with mixed_precision(False):
            latents, _ = self.flow.encode(x, self._labels(labels, tf.shape(x)[0]))
        assert isinstance(latents, list)  # one tensor per level
        return latents

    def decode(self, eps: Sequence[TensorLike], labels: TensorLike | None = None) -> Tensor:
        """Map latents to uint8 images.

        Args:
            eps: finite latents `[n, h, w, c]`, finest level first, of the shapes `latent_shapes`.
            labels: int `[n]`, or one for all, for a conditional model.

        Returns:
            Images, uint8 `[n, H, W, C]`.

        Raises:
            TypeError: the latents are not floats.
            ValueError: their number, a shape or a value is wrong, or labels are missing or not taken.
        """
        eps = check_latents(eps, self.latent_shapes, self.compute_dtype, "decode")
        with mixed_precision(False):
            return self._decode(eps, labels)

    def _decode(self, eps: Latents, labels: TensorLike | None) -> Tensor:
        x, _ = self.flow.decode(eps, self._labels(labels, tf.shape(eps[0])[0]))
        assert not isinstance(x, list)  # an image is one tensor
        return quantization.to_uint8(x, self.config.bits)

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
            mixed: compute the networks in the configuration's `network_dtype`, for slightly different images.

        Returns:
            Images, uint8 `[n, H, W, C]`.

        Raises:
            TypeError: the temperature or a label is of a wrong type.
            ValueError: a number is out of range, or labels are missing or not taken.
        """
        with mixed_precision(mixed):
            return self._decode(self.sample_latents(n, temperature, seed=seed), self._labels(labels, n))

    def sample_latents(
        self, n: int | Tensor, temperature: TensorLike = 1.0, *, seed: TensorLike | None = None
    ) -> Latents:
        """Draw `eps` for `n` images, every latent times the temperature; arguments are those of `sample`."""
        n, temperature = check_count(n, "sample"), check_temperature(temperature, "sample", n)
        seeds = tf.random.split(fresh_seed(seed, "sample"), self.config.levels)
        scale = tf.reshape(tf.broadcast_to(as_dtype(temperature, self.compute_dtype), [n]), [n, 1, 1, 1])
        return [
            # TensorFlow's stubs accept no scalar tensor among the sizes of a shape.
            scale * tf.random.stateless_normal([n, *shape], seeds[i], dtype=self.compute_dtype)  # pyright: ignore[reportArgumentType]
            for i, shape in enumerate(self.latent_shapes)
        ]

    def initialize(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> None:
        """Set all actnorms of a fresh model from one batch (paper, section 3.1).

        Call it once, eagerly; arguments are those of `log_prob`.

        Raises:
            DataError: the batch is empty; no weight is set then.
        """
        x = self.dequantize(images, seed=seed, noise=noise)
        self.flow.initialize(x, self._labels(labels, tf.shape(x)[0]))

    def dequantize(
        self, images: TensorLike, *, seed: TensorLike | None = None, noise: TensorLike | None = None
    ) -> Tensor:
        """Check uint8 images and map them to `x` in [-0.5, 0.5), `[n, H, W, C]` (see `quantization.dequantize`)."""
        images = self._checked_images(images)
        if noise is None:
            seed = fresh_seed(seed, "dequantization")
            noise = tf.random.stateless_uniform(tf.shape(images), seed, dtype=self.compute_dtype)
        else:
            noise = check_noise(noise, images, seed, self.compute_dtype, "dequantization")
        return quantization.dequantize(images, self.config.bits, noise, self.compute_dtype)

    def distribution(
        self,
        temperature: TensorLike = 1.0,
        labels: TensorLike | None = None,
        *,
        flat: bool = False,
        discrete: bool = False,
        draws: int = 1,
        seed: TensorLike | None = None,
    ) -> ContinuousGlow | DiscreteGlow:
        """Return this model as a `tfd.Distribution` (see `glow_tf.distributions`).

        Args:
            temperature: standard deviation of every latent, a scalar above 0; discrete: in `sample` only, 0 or more.
            labels: int `[n]` of a conditional model, which give batch shape `[n]`.
            flat: latents as one vector, finest level first, instead of a list; continuous only.
            discrete: a distribution over uint8 images instead of floats in [-0.5, 0.5), with a bound as `log_prob`.
            draws: draws of the dequantization noise in that bound, for a discrete distribution.
            seed: seed of that noise, an int or two.

        Raises:
            ValueError: options contradict each other, or a value is out of range.

        Example:
            >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
            >>> density = glow.distribution(temperature=0.7)
            >>> density.event_shape, density.sample(3, seed=0).shape
            (TensorShape([8, 8, 1]), TensorShape([3, 8, 8, 1]))
        """
        if discrete and flat:
            raise ValueError("distribution: expected flat or discrete, got both; bytes have no latents.")
        if not discrete and (draws != 1 or seed is not None):
            raise ValueError("distribution: draws and seed are of the noise of discrete=True; leave them out.")
        labels = label_vector(labels, self.config.classes, "distribution")
        from glow_tf.distributions import DiscreteGlow, continuous  # here, because TFP takes a second to import

        if discrete:
            return DiscreteGlow(self, temperature, labels, draws, seed)
        return continuous(self, temperature, labels, flat)

    def as_bijector(
        self,
        event_shape: ShapeLike | None = None,
        labels: TensorLike | None = None,
        name: str | None = None,
        *,
        condition: TensorLike | None = None,
    ) -> LayerBijector:
        """Return the flow as a `tfb.Bijector` over this model's own weights: forward = list of latents -> image `x`.

        Args:
            event_shape: the shape of one image, as flow layers take it; by default the model's `(H, W, C)`.
            labels: labels of a conditional model, int, that broadcast against the leading dimensions, or None.
            name: name of the bijector.
            condition: the old name of `labels`.

        Raises:
            TypeError: both `labels` and `condition` are given, or labels are not integers.
            ValueError: labels are out of range, missing or not taken.

        Example:
            >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4))
            >>> glow.as_bijector().inverse(tf.zeros([2, 8, 8, 1]))[0].shape
            TensorShape([2, 4, 4, 4])
        """
        if condition is not None:
            if labels is not None:
                raise TypeError("as_bijector: `condition` is the old name of `labels`; give one of them.")
            warn_renamed("Glow.as_bijector(condition=...)", "Glow.as_bijector(labels=...)")
            labels = condition
        if labels is not None:
            options = self.config.classes, "as_bijector"
            require_labels(labels, *options)
            check_range(to_tensor(labels, *options), *options)
        return self.flow.as_bijector(event_shape or self.image_shape, labels, name or self.name)

    # Keras.

    def load_weights(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Load weights as `keras.Model.load_weights` does; a file that is refused leaves the model as it was.

        Args:
            filepath: path of the file.
            *args: other arguments of `keras.Model.load_weights`.
            **kwargs: other arguments of `keras.Model.load_weights`.

        Raises:
            ValueError: the file holds the weights of another model, or some that are not finite.
        """
        forget_problems(self)
        before = self.get_weights()
        try:
            super().load_weights(filepath, *args, **kwargs)
        except BaseException:  # Ctrl-C too
            self.set_weights(before)
            raise

    def call(self, images: TensorLike, labels: TensorLike | None = None) -> Latents:
        """Run `encode` at the middle of each bin: the entry point of Keras."""
        return self.encode(images, labels)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> list[tuple[int | None, ...]]:
        """Return the shapes of the latents for the shape of the images, `[n, H, W, C]`."""
        return [(input_shape[0], *shape) for shape in self.latent_shapes]

    def input_specs(self) -> list[keras.InputSpec]:
        """Return the specifications of the inputs of `call`: images, and labels of a conditional model."""
        labels = [keras.InputSpec("int32", (None,), name="labels")] if self.takes_labels else []
        return [keras.InputSpec("uint8", (None, *self.image_shape), name="images"), *labels]

    def describe(self) -> str:
        """Return a table of the model as text: shapes, steps, parameters and multiply-adds by level."""
        return summary.describe(self)

    def get_config(self) -> Config:
        """Return the configuration from which `from_config` makes an equal model, without its weights."""
        return {"config": dataclasses.asdict(self.config), "dtype": self.compute_dtype, **super().get_config()}

    # Checks.

    def checked_batch(self, images: TensorLike, labels: TensorLike | None) -> tuple[Tensor, Tensor | None]:
        """Return a batch of `fit` as checked images, and labels `[n]` where the model is conditional, else None."""
        images = self._checked_images(images)
        return images, self._labels(labels, tf.shape(images)[0]) if self.config.classes else None

    def _checked_images(self, images: TensorLike) -> Tensor:
        images = to_bytes(images, "Glow")
        if not images.shape.is_compatible_with([None, *self.image_shape]):
            shape = ", ".join(map(str, self.image_shape))
            raise ValueError(f"Glow: expected images [n, {shape}], got {images.shape}.")
        # Of a data set whose shapes only the graph knows; the shape is checked when it runs.
        return images if images.shape[1:].is_fully_defined() else tf.ensure_shape(images, [None, *self.image_shape])

    def _labels(self, labels: TensorLike | None, n: int | Tensor) -> Tensor | None:
        return labels_per_image(labels, self.config.classes, n, "Glow")
