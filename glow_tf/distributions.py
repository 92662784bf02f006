"""Images as a `tfd.Distribution`: continuous over floats, discrete over bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import tensorflow as tf
import tensorflow_probability as tfp

# Not the public class: its subclasses are composite tensors, which a model cannot be a part of.
from tensorflow_probability.python.distributions.transformed_distribution import _TransformedDistribution

from glow_tf.arguments import check_count, check_temperature, refuse_masked, to_bytes
from glow_tf.bijector import deepcopy_by_parameters
from glow_tf.errors import DataError
from glow_tf.labels import check_range, label_vector, require_labels, to_tensor
from glow_tf.layers.flatten import FlatFlow
from glow_tf.random import as_dtype, fresh_seed
from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.model import Glow

tfd = tfp.distributions


if TYPE_CHECKING:
    _Distribution = tfd.Distribution
else:
    _Distribution = object


class _OfGlow(_Distribution):
    """Mixin of both distributions: labels as a batch parameter, copies, and values of the right type.

    TFP slices and copies a distribution by a new one of sliced or changed parameters, and would cast an array of
    another type without a word.
    """

    _labels: Tensor | None

    def _checked_images(self, value: TensorLike) -> TensorLike:
        """Return images of the right type and shape, or raise."""
        raise NotImplementedError

    @property
    def labels(self) -> Tensor | None:
        """The labels, int32 of the batch shape, or None."""
        return self._labels

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return deepcopy_by_parameters(self, memo)

    def log_prob(self, value: TensorLike, name: str = "log_prob", **kwargs: Any) -> Tensor:
        """Compute `log p` of images `[..., H, W, C]`, in nats; for bytes a bound on it."""
        return super().log_prob(self._checked_images(value), name, **kwargs)

    def prob(self, value: TensorLike, name: str = "prob", **kwargs: Any) -> Tensor:
        """Compute `p` of images `[..., H, W, C]`; for bytes a bound on it."""
        return super().prob(self._checked_images(value), name, **kwargs)

    def unnormalized_log_prob(self, value: TensorLike, name: str = "unnormalized_log_prob", **kwargs: Any) -> Tensor:
        """Compute `log_prob`, which is normalized."""
        return super().unnormalized_log_prob(self._checked_images(value), name, **kwargs)


def _batch_parameters() -> dict[str, Any]:
    """Return TFP's description of the parameters of a distribution that have batch axes."""
    return {"labels": tfp.util.ParameterProperties(event_ndims=0)}


def _checked_labels(glow: Glow, labels: TensorLike | None, name: str) -> Tensor | None:
    """Return labels of any shape as int32, or None; slices have other shapes than a caller may give."""
    options = glow.config.classes, name
    require_labels(labels, *options)
    return None if labels is None else check_range(to_tensor(labels, *options), *options)


class ContinuousGlow(_OfGlow, _TransformedDistribution):
    """Give float images `x` `[..., H, W, C]` in [-0.5, 0.5) their density under a `Glow`, in nats.

    A `tfd.TransformedDistribution`: the flow's bijector over standard normal latents, as in section 2 of
    https://arxiv.org/abs/1807.03039. `Glow.distribution()` makes it.

    Args:
        glow: the model.
        temperature: standard deviation of every latent, a scalar above 0.
        labels: int of a conditional model; their shape is the batch shape.
        flat: the base is one vector `[D]`, finest level first, instead of the list of latents.
        validate_args: check in every call that values are finite.
        name: name of the distribution.

    Raises:
        ValueError: the temperature is not above 0, or labels are missing of a conditional model or given to an
            unconditional one.
        DataError: a label is out of range.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> glow = Glow(ModelConfig(image_shape=(8, 8, 1), levels=2, depth=1, width=4))
        >>> distribution = ContinuousGlow(glow)
        >>> distribution.log_prob(tf.zeros([2, 8, 8, 1])).shape
        TensorShape([2])
    """

    def __init__(
        self,
        glow: Glow,
        temperature: TensorLike = 1.0,
        labels: TensorLike | None = None,
        flat: bool = False,
        validate_args: bool = False,
        name: str = "glow",
    ) -> None:
        parameters = dict(locals())
        self._labels = _checked_labels(glow, labels, "distribution")
        lead = tf.zeros([0], tf.int32) if self._labels is None else tf.shape(self._labels)
        scale = as_dtype(check_temperature(temperature, "distribution", positive=True), glow.compute_dtype)

        def normal(shape: tuple[int, ...]) -> Any:
            # TFP does not broadcast a joint distribution with the batch shape of the bijector.
            zeros = tf.zeros(tf.concat([lead, shape], 0), glow.compute_dtype)
            return tfd.Independent(tfd.Normal(zeros, scale), reinterpreted_batch_ndims=len(shape))

        if flat:
            flow, base = FlatFlow(glow.flow), normal((math.prod(glow.image_shape),))
        else:
            flow = glow.flow
            base = _checkpointable(tfd.JointDistributionSequential([normal(s) for s in glow.latent_shapes]))
        bijector = flow.as_bijector(glow.image_shape, self._labels, glow.name, validate_args=validate_args)
        super().__init__(base, bijector, validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict[str, Any]:
        return _batch_parameters()

    def _checked_images(self, value: TensorLike) -> TensorLike:
        refuse_masked(value, str(self.name))
        dtype = getattr(value, "dtype", None)
        if dtype is not None and not tf.as_dtype(dtype).is_floating:
            raise TypeError(
                f"{self.name}: expected images of floats in [-0.5, 0.5), as Glow.dequantize makes them, got "
                f"{tf.as_dtype(dtype).name}; "
                "for uint8 images take distribution(discrete=True)."
            )
        return value


def continuous(
    glow: Glow, temperature: TensorLike = 1.0, labels: TensorLike | None = None, flat: bool = False
) -> ContinuousGlow:
    """Return `ContinuousGlow` for labels `[n]`, a column of them, or one."""
    return ContinuousGlow(glow, temperature, label_vector(labels, glow.config.classes, "distribution"), flat)


def _checkpointable(joint: Any) -> Any:
    """Change a joint distribution such that `tf.train.Checkpoint` can save objects that contain it.

    TFP keeps the parts of a joint distribution under numbers, and a checkpoint's names are strings.
    """
    del joint._single_sample_distributions  # and its tracking
    joint._single_sample_distributions = joint._no_dependency({})
    return joint


class DiscreteGlow(_OfGlow, tfd.Distribution):
    """Give uint8 images `[..., H, W, C]` a bound on their probability under a `Glow`, in nats.

    `log_prob` is `log (1/k) sum_i p(x + noise_i) / n^D` over k draws of dequantization noise: a lower bound on
    `log P(x)` in expectation, which rises with k and becomes exact (section 2 of https://arxiv.org/abs/1807.03039;
    Burda et al., 2016). `Glow.distribution(discrete=True)` makes it.

    Args:
        glow: the model.
        temperature: standard deviation of every latent in `sample`, 0 or more; `log_prob` is that of temperature 1.
        labels: int of a conditional model; their shape is the batch shape.
        draws: number of draws k, at least 1.
        seed: seed of the noise, an int or two; None draws fresh noise in every eager call.
        name: name of the distribution.

    Raises:
        ValueError: temperature or `draws` is out of range, the seed is no seed, or labels are missing of a conditional
            model or given to an unconditional one.
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
    ) -> None:
        parameters = dict(locals())
        check_temperature(temperature, name)
        draws = int(check_count(draws, f"{name}: draws", minimum=1))
        if seed is not None:
            fresh_seed(seed, name)  # which checks it
        self._glow, self._temperature, self._draws, self._seed = glow, temperature, draws, seed
        self._labels = _checked_labels(glow, labels, "distribution")
        # Plain variables, where tf.Module finds them; those of Keras are hidden from it.
        self._weights = tuple(v.value for v in glow.trainable_variables)
        super().__init__(
            dtype=tf.uint8,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict[str, Any]:
        return _batch_parameters()

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
