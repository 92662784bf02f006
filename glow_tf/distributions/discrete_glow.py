"""`DiscreteGlow`: a bound on the probability of uint8 images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf.arguments import check_count, check_temperature, to_bytes
from glow_tf.distributions.glow_distribution import GlowDistribution, batch_parameters
from glow_tf.errors import DataError
from glow_tf.labels import labels_of_any_shape
from glow_tf.random import fresh_seed
from glow_tf.tracked_weights import TrackedWeights
from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.model import Glow

tfd = tfp.distributions


class DiscreteGlow(GlowDistribution, tfd.Distribution):
    """Give uint8 images `[..., H, W, C]` a bound on their probability under a `Glow`, in nats.

    `log_prob` is `log (1/k) sum_i p(x + noise_i) / n^D` over k draws of dequantization noise. It is a lower bound on
    `log P(x)` in expectation, which rises with k and becomes exact (section 2 of https://arxiv.org/abs/1807.03039;
    Burda et al., 2016). `Glow.distribution(discrete=True)` returns it.

    Args:
        glow: the model.
        temperature: standard deviation of every latent in `sample`, 0 or more; `log_prob` always uses temperature 1.
        labels: int labels for a conditional model; their shape is the batch shape. A variable is read only once.
        draws: number of draws k, at least 1.
        seed: seed of the noise, an int or two; None draws fresh noise in every eager call.
        validate_args: as in all distributions of TFP; uint8 values need no check.
        name: name of the distribution.

    Raises:
        ValueError: `temperature` or `draws` is out of range, `seed` is not a seed, or labels are missing for a
            conditional model or given to an unconditional one.
        DataError: a label is out of range, or images have another shape or type.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> distribution = DiscreteGlow(glow, draws=2, seed=0)
        >>> distribution.log_prob(tf.zeros([2, 8, 8, 1], tf.uint8)).shape
        TensorShape([2])
    """

    def __init__(
        self,
        glow: Glow,
        temperature: TensorLike = 1.0,
        labels: TensorLike | None = None,
        draws: int = 1,
        seed: TensorLike | None = None,
        name: str = "discrete_glow",
        validate_args: bool = False,
    ) -> None:
        parameters = dict(locals())
        check_temperature(temperature, name)
        draws = int(check_count(draws, f"{name}: draws", minimum=1))
        if seed is not None:
            fresh_seed(seed, name)  # which checks it
        self._glow, self._temperature, self._draws, self._seed = glow, temperature, draws, seed
        self._labels = labels_of_any_shape(labels, glow.config.classes, "distribution")
        self._weights = TrackedWeights(glow)
        super().__init__(
            dtype=tf.uint8,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict[str, Any]:
        return batch_parameters()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape(self._glow.image_shape)

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant(self._glow.image_shape, tf.int32)

    def _checked_images(self, value: TensorLike) -> Tensor:
        value = to_bytes(value, self.name)
        shape = self._glow.image_shape
        if value.shape.rank is None or value.shape.rank < 3 or not value.shape[-3:].is_compatible_with(shape):
            expected = ", ".join(map(str, shape))
            raise DataError(f"{self.name}: expected images [..., {expected}], got {value.shape}.")
        try:
            tf.broadcast_static_shape(value.shape[:-3], self.batch_shape)
        except ValueError:
            raise DataError(
                f"{self.name}: expected images whose leading dimensions broadcast to the labels' "
                f"{self.batch_shape}, got {value.shape}."
            ) from None
        return value

    def _labels_of(self, lead: Tensor) -> Tensor | None:
        return None if self._labels is None else tf.reshape(tf.broadcast_to(self._labels, lead), [-1])

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seed = tfp.random.sanitize_seed(seed)
        lead = tf.concat([[n], self.batch_shape_tensor()], 0)
        eps = self._glow.sample_latents(tf.reduce_prod(lead), self._temperature, seed=seed)
        images = self._glow.decode(eps, self._labels_of(lead))
        return tf.reshape(images, tf.concat([lead, self._event_shape_tensor()], 0))

    def _log_prob(self, value: TensorLike) -> Tensor:
        value = tf.convert_to_tensor(value)
        lead = tf.broadcast_dynamic_shape(tf.shape(value)[:-3], self.batch_shape_tensor())
        event = self._event_shape_tensor()
        images = tf.reshape(tf.broadcast_to(value, tf.concat([lead, event], 0)), tf.concat([[-1], event], 0))
        labels = self._labels_of(lead)
        seeds = [self._seed] * self._draws
        if self._seed is not None:
            seeds = tf.unstack(tf.random.split(tf.broadcast_to(tf.cast(self._seed, tf.int32), [2]), self._draws))
        bounds = tf.stack([self._glow.log_prob(images, labels, seed=seed) for seed in seeds])
        bound = tf.reduce_logsumexp(bounds, 0) - math.log(self._draws)
        return tf.reshape(bound, lead)
