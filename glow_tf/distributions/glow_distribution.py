"""The base of both distributions: labels as a batch parameter, copies, and values of the right type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import tensorflow_probability as tfp

from glow_tf.bijector import deepcopy_by_parameters
from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    Distribution = tfp.distributions.Distribution
else:
    Distribution = object  # a type checker reads the mixin as a part of the distributions


class GlowDistribution(Distribution):
    """Mixin of both distributions: labels as a batch parameter, copies, and values of the right type.

    To slice or copy a distribution, TFP makes a new one from sliced or changed parameters. TFP would also silently cast
    an array of another type.
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
        """Compute `log p` of images `[..., H, W, C]`, in nats; for uint8 images a bound on it."""
        return super().log_prob(self._checked_images(value), name, **kwargs)

    def prob(self, value: TensorLike, name: str = "prob", **kwargs: Any) -> Tensor:
        """Compute `p` of images `[..., H, W, C]`; for uint8 images a bound on it."""
        return super().prob(self._checked_images(value), name, **kwargs)

    def unnormalized_log_prob(self, value: TensorLike, name: str = "unnormalized_log_prob", **kwargs: Any) -> Tensor:
        """Compute `log_prob`, which is normalized."""
        return super().unnormalized_log_prob(self._checked_images(value), name, **kwargs)


def batch_parameters() -> dict[str, Any]:
    """Return TFP's description of the parameters that have batch axes, for `_parameter_properties` of both classes."""
    return {"labels": tfp.util.ParameterProperties(event_ndims=0)}
