"""`TfpAdapters`: a `Glow` as TFP's bijector and distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glow_tf.deprecation import warn_renamed
from glow_tf.labels import label_vector, labels_of_any_shape
from glow_tf.types import ShapeLike, TensorLike

if TYPE_CHECKING:
    from glow_tf.bijector import LayerBijector
    from glow_tf.distributions import ContinuousGlow, DiscreteGlow
    from glow_tf.image_flow import ImageFlow
else:
    ImageFlow = object  # a type checker reads the mixin as a part of the model


class TfpAdapters(ImageFlow):
    """Mixin of `Glow`: `as_bijector` and `distribution`, over the model's own weights."""

    def as_bijector(
        self,
        event_shape: ShapeLike | None = None,
        labels: TensorLike | None = None,
        name: str | None = None,
        *,
        validate_args: bool = False,
        condition: TensorLike | None = None,
    ) -> LayerBijector:
        """Return the flow as a `tfb.Bijector` over this model's own weights: forward = list of latents -> image `x`.

        Args:
            event_shape: the shape of one image, as flow layers take it; by default the model's `(H, W, C)`.
            labels: int labels for a conditional model, which broadcast against the leading dimensions, or None.
            name: name of the bijector.
            validate_args: check in every call that values are finite.
            condition: the old name of `labels`.

        Raises:
            TypeError: both `labels` and `condition` are given, or labels are not integers.
            ValueError: labels are out of range, missing or not taken.

        Example:
            >>> import tensorflow as tf
            >>> from glow_tf import Glow, ModelConfig
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
            labels_of_any_shape(labels, self.config.classes, "as_bijector")
        event_shape, name = event_shape or self.image_shape, name or self.name
        return self.flow.as_bijector(event_shape, labels, name, validate_args=validate_args)

    def distribution(
        self,
        temperature: TensorLike = 1.0,
        labels: TensorLike | None = None,
        *,
        flat: bool = False,
        discrete: bool = False,
        draws: int = 1,
        seed: TensorLike | None = None,
        validate_args: bool = False,
    ) -> ContinuousGlow | DiscreteGlow:
        """Return this model as a `tfd.Distribution` (see `glow_tf.distributions`).

        The continuous one is over floats as `dequantize` makes them: `distribution().log_prob(glow.dequantize(images,
        seed=0))`. Floats of another scale, such as `images / 255`, are other points.

        Args:
            temperature: standard deviation of every latent, a scalar above 0; for a discrete distribution it affects
                `sample` only and may be 0.
            labels: int `[n]` for a conditional model, which give the batch shape `[n]`.
            flat: latents as one vector, finest level first, instead of a list; only for a continuous distribution.
            discrete: a distribution over uint8 images instead of floats in [-0.5, 0.5); its `log_prob` is a bound.
            draws: number of draws of the dequantization noise in this bound.
            seed: seed of this noise, an int or two.
            validate_args: check in every call that values are finite; uint8 values always are.

        Raises:
            ValueError: options contradict each other, or a value is out of range.

        Example:
            >>> from glow_tf import Glow, ModelConfig
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
            return DiscreteGlow(self, temperature, labels, draws, seed, validate_args=validate_args)
        return continuous(self, temperature, labels, flat, validate_args)
