"""Images as a `tfd.Distribution`: continuous over floats, discrete over bytes."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf.arguments import check_count, check_temperature, to_bytes
from glow_tf.errors import DataError
from glow_tf.labels import label_vector
from glow_tf.layers.flatten import FlatFlow
from glow_tf.random import as_dtype, fresh_seed

tfd = tfp.distributions


def continuous(glow, temperature=1.0, labels=None, flat=False):
    """Return a `Glow` as a `tfd.TransformedDistribution` over float images `x` in [-0.5, 0.5), in nats.

    Args:
        glow: the model.
        temperature: standard deviation of every latent, a scalar above 0.
        labels: int `[n]` for a conditional model; they give batch shape `[n]`.
        flat: the base is one vector `[D]`, finest level first, instead of the list of latents.
    """
    labels = label_vector(labels, glow.config.classes, "distribution")
    lead = [] if labels is None else list(labels.shape)
    scale = as_dtype(check_temperature(temperature, "distribution", positive=True), glow.compute_dtype)

    def normal(shape):
        zeros = tf.zeros([*lead, *shape], glow.compute_dtype)
        return tfd.Independent(tfd.Normal(zeros, scale), reinterpreted_batch_ndims=len(shape))

    if flat:
        bijector = FlatFlow(glow.flow).as_bijector(glow.image_shape, labels)
        base = normal((math.prod(glow.image_shape),))
    else:
        bijector = glow.as_bijector(labels=labels)
        base = _checkpointable(tfd.JointDistributionSequential([normal(s) for s in glow.latent_shapes]))
    return tfd.TransformedDistribution(base, bijector, name="glow")


def _checkpointable(joint):
    """Change a joint distribution such that `tf.train.Checkpoint` can save objects that contain it.

    TFP keeps the parts of a joint distribution under numbers, and a checkpoint's names are strings.
    """
    del joint._single_sample_distributions  # and its tracking
    joint._single_sample_distributions = joint._no_dependency({})
    return joint


class DiscreteGlow(tfd.Distribution):
    """Distribution of a `Glow` over uint8 images `[..., H, W, C]`.

    `log_prob` is `log (1/k) sum_i p(x + noise_i) / n^D` over k draws of dequantization noise: a lower bound on
    `log P(x)` in expectation, which rises with k and becomes exact (paper, section 2; Burda et al., 2016).

    Args:
        glow: the model.
        temperature: standard deviation of every latent in `sample`, 0 or more; `log_prob` is that of temperature 1.
        labels: int `[n]` for a conditional model; they give batch shape `[n]`.
        draws: number of draws k, at least 1.
        seed: seed of the noise, an int or two; None draws fresh noise in every eager call.
    """

    def __init__(self, glow, temperature=1.0, labels=None, draws=1, seed=None, name="discrete_glow"):
        parameters = dict(locals())
        check_temperature(temperature, name)
        draws = int(check_count(draws, f"{name}: draws", minimum=1))
        if seed is not None:
            fresh_seed(seed, name)  # which checks it
        self._glow, self._temperature, self._draws, self._seed = glow, temperature, draws, seed
        self._labels = label_vector(labels, glow.config.classes, "distribution")
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
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    def _batch_shape(self):
        return tf.TensorShape([]) if self._labels is None else self._labels.shape

    def _batch_shape_tensor(self):
        return tf.constant(self._batch_shape().as_list(), tf.int32)

    def _event_shape(self):
        return tf.TensorShape(self._glow.image_shape)

    def _event_shape_tensor(self):
        return tf.constant(self._glow.image_shape, tf.int32)

    # TFP would cast an array of another type, and broadcast one of another shape, without a word.

    def log_prob(self, value, name="log_prob", **kwargs):
        """Compute the bound on `log P` of uint8 images `[..., H, W, C]`, in nats."""
        return super().log_prob(self._checked_images(value), name, **kwargs)

    def prob(self, value, name="prob", **kwargs):
        """Compute the bound on `P` of uint8 images `[..., H, W, C]`."""
        return super().prob(self._checked_images(value), name, **kwargs)

    def _checked_images(self, value):
        value = to_bytes(value, self.name)
        shape = self._glow.image_shape
        if value.shape.rank is None or value.shape.rank < 3 or not value.shape[-3:].is_compatible_with(shape):
            expected = ", ".join(map(str, shape))
            raise DataError(f"{self.name}: expected images [..., {expected}], got {value.shape}.")
        try:
            tf.broadcast_static_shape(value.shape[:-3], self._batch_shape())
        except ValueError:
            raise DataError(
                f"{self.name}: expected images whose leading dimensions broadcast to the labels' "
                f"{self._batch_shape()}, got {value.shape}."
            ) from None
        return value

    def _labels_of(self, lead):
        return None if self._labels is None else tf.reshape(tf.broadcast_to(self._labels, lead), [-1])

    def _sample_n(self, n, seed=None):
        seed = tfp.random.sanitize_seed(seed)
        lead = tf.concat([[n], self._batch_shape_tensor()], 0)
        eps = self._glow.sample_latents(tf.reduce_prod(lead), self._temperature, seed=seed)
        images = self._glow.decode(eps, self._labels_of(lead))
        return tf.reshape(images, tf.concat([lead, self._event_shape_tensor()], 0))

    def _log_prob(self, value):
        value = tf.convert_to_tensor(value)
        lead = tf.broadcast_dynamic_shape(tf.shape(value)[:-3], self._batch_shape_tensor())
        event = self._event_shape_tensor()
        images = tf.reshape(tf.broadcast_to(value, tf.concat([lead, event], 0)), tf.concat([[-1], event], 0))
        labels = self._labels_of(lead)
        seeds = [self._seed] * self._draws
        if self._seed is not None:
            seeds = tf.unstack(tf.random.split(tf.broadcast_to(tf.cast(self._seed, tf.int32), [2]), self._draws))
        bounds = tf.stack([self._glow.log_prob(images, labels, seed=seed) for seed in seeds])
        bound = tf.reduce_logsumexp(bounds, 0) - math.log(self._draws)
        return tf.reshape(bound, lead)
