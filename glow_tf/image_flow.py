"""`ImageFlow`: the model between uint8 images and latents, without their density."""

import dataclasses
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import keras
import tensorflow as tf

from glow_tf import quantization
from glow_tf.arguments import check_latents, check_noise, to_bytes
from glow_tf.autograph import without_autograph
from glow_tf.config import ModelConfig
from glow_tf.counts import counted
from glow_tf.labels import labels_per_image
from glow_tf.layers.glow_flow import GlowFlow
from glow_tf.layers.keras_contract import require_full_precision
from glow_tf.layers.network import mixed_precision
from glow_tf.likelihood_training import LikelihoodTraining
from glow_tf.random import fresh_seed
from glow_tf.types import Config, Latents, Tensor, TensorLike


class ImageFlow(LikelihoodTraining):
    """Map uint8 images `[n, H, W, C]` to standard normal latents and back: the base class of `Glow`.

    It has the flow and everything that needs no density: checks of images and labels, dequantization, `encode`,
    `decode`, the initialization from data, and Keras's configuration. `Glow` documents the arguments and attributes.
    """

    def __init__(self, config: ModelConfig | Config | None = None, *, dtype: str = "float32", **kwargs: Any) -> None:
        c = _checked_config(config, kwargs)
        super().__init__(dtype=dtype, **kwargs)
        require_full_precision(self)
        self.config = c
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

    # Images and latents.

    @without_autograph
    def encode(
        self,
        images: TensorLike,
        labels: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
        noise: TensorLike | None = None,
    ) -> Latents:
        """Map uint8 images to `eps`, the list of latents, finest level first.

        Without seed and noise, values are at the middle of their bins, so that `decode(encode(x))` is `quantize(x)`,
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

    @without_autograph
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
        labels = self._labels(labels, tf.shape(x)[0])
        if tf.executing_eagerly():
            self.warn_if_initialized()
        self.flow.initialize(x, labels)
        if tf.executing_eagerly():
            self._warn_if_dark(images)

    @without_autograph
    def dequantize(
        self, images: TensorLike, *, seed: TensorLike | None = None, noise: TensorLike | None = None
    ) -> Tensor:
        """Check uint8 images and map them to `x` in [-0.5, 0.5), `[n, H, W, C]` (see `quantization.dequantize`)."""
        images = self._checked_images(images)
        if noise is None:
            seed = fresh_seed(seed, "dequantization")
            noise = tf.random.stateless_uniform(tf.shape(images), seed, dtype=self.compute_dtype)
        else:
            noise = tf.convert_to_tensor(check_noise(noise, images, seed, self.compute_dtype, "dequantization"))
        return quantization.add_noise(images, self.config.bits, noise)

    # Keras.

    def call(self, images: TensorLike, labels: TensorLike | None = None) -> Latents:
        """Run `encode` with values at the middle of their bins: the entry point of Keras."""
        return self.encode(images, labels)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> list[tuple[int | None, ...]]:
        """Return the shapes of the latents for the shape of the images, `[n, H, W, C]`."""
        return [(input_shape[0], *shape) for shape in self.latent_shapes]

    def input_specs(self) -> list[keras.InputSpec]:
        """Return the specifications of the inputs of `call`: images, and labels if the model is conditional."""
        labels = [keras.InputSpec("int32", (None,), name="labels")] if self.takes_labels else []
        return [keras.InputSpec("uint8", (None, *self.image_shape), name="images"), *labels]

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

    def _warn_if_dark(self, images: TensorLike) -> None:
        """Warn about images that leave the upper 7/8 of the range unused, such as those from 0 to 1 or to 16."""
        greatest = int(tf.reduce_max(images))
        if greatest < max(32, 2 ** (8 - self.config.bits)):
            warnings.warn(
                f"{self.name}.initialize: the greatest value of these images is {greatest}; images go from 0 to 255, "
                f"of which the model keeps the upper {counted(self.config.bits, 'bit')}: scale these to that range.",
                stacklevel=3,
            )

    def _labels(self, labels: TensorLike | None, n: int | Tensor) -> Tensor | None:
        return labels_per_image(labels, self.config.classes, n, "Glow")


def _checked_config(config: ModelConfig | Config | None, keywords: Collection[str]) -> ModelConfig:
    """Return the configuration of a model; raise a `TypeError` for anything else, and for its fields beside it."""
    fields = [field.name for field in dataclasses.fields(ModelConfig) if field.name in keywords]
    if fields:
        arguments = ", ".join(f"{name}=..." for name in fields)
        raise TypeError(f"Glow: expected a ModelConfig, got fields of one; write Glow(ModelConfig({arguments})).")
    if not isinstance(config, ModelConfig | dict):
        hint = "; give its .model" if hasattr(config, "model") else ""
        raise TypeError(f"Glow: expected a ModelConfig, got {type(config).__name__}{hint}.")
    return config if isinstance(config, ModelConfig) else ModelConfig(**config)
