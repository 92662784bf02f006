"""`ContinuousGlow`: the density of float images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

# Not the public class: its subclasses are composite tensors, which a model cannot be a part of.
from tensorflow_probability.python.distributions.transformed_distribution import _TransformedDistribution

from glow_tf.arguments import check_temperature, dtype_of, refuse_masked, warn_of_scale
from glow_tf.distributions.glow_distribution import GlowDistribution, batch_parameters
from glow_tf.labels import label_vector, labels_of_any_shape
from glow_tf.layers.flatten import FlatFlow
from glow_tf.random import as_dtype
from glow_tf.types import TensorLike

if TYPE_CHECKING:
    from glow_tf.model import Glow

tfd = tfp.distributions


class ContinuousGlow(GlowDistribution, _TransformedDistribution):
    """Give float images `x` `[..., H, W, C]` in [-0.5, 0.5) their density under a `Glow`, in nats.

    A `tfd.TransformedDistribution`: the flow's bijector over standard normal latents, as in section 2 of
    https://arxiv.org/abs/1807.03039. `Glow.distribution()` returns it.

    `glow.dequantize(images, seed=0)` makes such floats of uint8 images. The density is one over all floats, and samples
    of the model may lie outside of [-0.5, 0.5), so no finite value is refused, with `validate_args` neither. But
    `images / 255` are other points: eager code warns of values that are never negative and exceed 0.5.

    Args:
        glow: the model.
        temperature: standard deviation of every latent, a scalar above 0. A variable is read only once.
        labels: int labels for a conditional model; their shape is the batch shape. A variable is read only once.
        flat: use as base one vector `[D]`, finest level first, instead of a list of latents.
        validate_args: check in every call that values are finite.
        name: name of the distribution.

    Raises:
        ValueError: the temperature is not above 0, or labels are missing for a conditional model or given to an
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
        self._labels = labels_of_any_shape(labels, glow.config.classes, "distribution")
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
        return batch_parameters()

    def _checked_images(self, value: TensorLike) -> TensorLike:
        refuse_masked(value, str(self.name))
        dtype = dtype_of(value)
        if dtype is not None and not dtype.is_floating:
            raise TypeError(
                f"{self.name}: expected images of floats in [-0.5, 0.5), as Glow.dequantize makes them, got "
                f"{dtype.name}; for uint8 images take distribution(discrete=True)."
            )
        warn_of_scale(value, str(self.name), stacklevel=3)
        return value


def continuous(
    glow: Glow,
    temperature: TensorLike = 1.0,
    labels: TensorLike | None = None,
    flat: bool = False,
    validate_args: bool = False,
) -> ContinuousGlow:
    """Return a `ContinuousGlow` for labels `[n]`, a column of labels, or a single label."""
    vector = label_vector(labels, glow.config.classes, "distribution")
    return ContinuousGlow(glow, temperature, vector, flat, validate_args)


def _checkpointable(joint: Any) -> Any:
    """Change a joint distribution such that `tf.train.Checkpoint` can save objects that contain it.

    TFP stores the parts of a joint distribution under numbers, but the names in a checkpoint are strings.
    """
    del joint._single_sample_distributions  # and its tracking
    joint._single_sample_distributions = joint._no_dependency({})
    return joint
