"""Adapt a flow layer to `tfb.Bijector`. TFP's internals are used here, in `bijector_cache` and in `distributions`.

In TFP's convention, which holds in this file, `x` is the latent and `y = forward(x)` the image.

`LayerBijector` passes values to the layer and tells TFP the layer's properties: the number of event axes and the event
shapes on both sides, the batch shape of the labels, whether the Jacobian is constant, and how to copy and slice.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf.arguments import dtype_of, refuse_masked
from glow_tf.bijector_cache import GraphCache
from glow_tf.errors import did_you_mean
from glow_tf.event_shapes import map_event_shape, map_event_shape_tensor
from glow_tf.tracked_weights import TrackedWeights
from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.layers.flow import FlowLayer

tfb = tfp.bijectors

CONDITION_NAMES = ("condition", "labels")
"""Keywords for labels in a call or in `bijector_kwargs`: the name that layers use, and the name that `Glow` uses."""

_Copied = TypeVar("_Copied", bound=Any)


class LayerBijector(tfb.Bijector):
    """Wrap a flow layer as a `tfb.Bijector` over the layer's weights: forward = `decode`, latent -> image.

    `layer.as_bijector` returns it. Its variables are those of the layer, without frozen ones; it has no other weights.

    Labels are a batch parameter, like the `shift` of `tfb.Shift`: labels `[n]` give n maps, of batch shape `[n]`, and
    broadcast against the leading dimensions of a value. A call can override them with `condition=` (or `labels=`), and
    a `TransformedDistribution` with `bijector_kwargs={"condition": ...}`.

    Args:
        layer: a `FlowLayer`.
        condition: labels, or None.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        parameters: arguments with which TFP makes a copy; by default those above.

    Raises:
        TypeError: the condition is a dictionary.
        ValueError: a condition is given to a layer that takes none.

    Example:
        >>> from glow_tf.layers import ActNorm
        >>> bijector = ActNorm().as_bijector([2])
        >>> bijector.forward(tf.ones([5, 2])).shape
        TensorShape([5, 2])
    """

    def __init__(
        self,
        layer: FlowLayer,
        condition: TensorLike | None = None,
        validate_args: bool = False,
        name: str = "flow",
        *,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        if parameters is None:
            parameters = {"layer": layer, "condition": condition, "validate_args": validate_args, "name": name}
        layer.check_condition(condition, name)
        layer.settle_event()
        ndims = layer.event_ndims
        # Only the number of axes is read off; a layer that is not built has no channels yet, and 4 can be halved.
        shape = layer.encoded_shape(layer.event_shape or (None,) * (ndims - 1) + (4,))
        super().__init__(
            forward_min_event_ndims=[len(s) for s in shape] if isinstance(shape, list) else len(shape),
            inverse_min_event_ndims=ndims,
            is_constant_jacobian=layer.is_constant_jacobian,
            validate_args=validate_args,
            dtype=tf.as_dtype(layer.compute_dtype),
            parameters=parameters,
            name=name,
        )
        self._layer = layer
        self._condition = None if condition is None else self._to_tensor(condition)
        self._own_cache = self._no_dependency(GraphCache(self))
        self._weights = TrackedWeights(layer)

    @property
    def layer(self) -> FlowLayer:
        """The flow layer."""
        return self._layer

    @property
    def condition(self) -> Tensor | tf.Variable | None:
        """The labels, as a tensor or a variable, or None."""
        return self._condition

    def initialize(self, x: TensorLike, condition: TensorLike | None = None) -> Any:
        """Set data-dependent weights (actnorm) from the batch `x` and return its latents: `layer.initialize`.

        Args:
            x: `[..., *event]` on the side of the data.
            condition: labels that broadcast to the leading dimensions; by default those of the bijector.

        Raises:
            DataError: the batch is empty or not finite; no weight is set then.
        """
        return self.layer.initialize(x, self.condition if condition is None else condition)

    @property
    def _cache(self) -> GraphCache:
        return self._own_cache

    @property
    def _is_permutation(self) -> bool:
        return self._layer.is_permutation

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {"condition": tfp.util.ParameterProperties(event_ndims=0)}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return deepcopy_by_parameters(self, memo)

    # Values. TFP casts arrays to the bijector's dtype, and would take the bytes of an image for floats.

    def _call_forward(self, x: Any, name: str, **kwargs: Any) -> Any:
        self._require_floats(x, name)
        return super()._call_forward(x, name, **kwargs)

    def _call_inverse(self, y: Any, name: str, **kwargs: Any) -> Any:
        self._require_floats(y, name)
        return super()._call_inverse(y, name, **kwargs)

    def _call_forward_log_det_jacobian(self, x: Any, event_ndims: Any, name: str, **kwargs: Any) -> Tensor:
        self._require_floats(x, name)
        return super()._call_forward_log_det_jacobian(x, event_ndims, name, **kwargs)

    def _call_inverse_log_det_jacobian(self, y: Any, event_ndims: Any, name: str, **kwargs: Any) -> Tensor:
        self._require_floats(y, name)
        return super()._call_inverse_log_det_jacobian(y, event_ndims, name, **kwargs)

    def _require_floats(self, value: Any, method: str) -> None:
        """Raise a `TypeError` for masked arrays, and for arrays and tensors that are not of floats.

        Python numbers and lists have no dtype, and are cast as in TFP.
        """
        for part in value if isinstance(value, (list, tuple)) else [value]:
            refuse_masked(part, f"{self.name}.{method}")
            dtype = dtype_of(part)
            if dtype is not None and not dtype.is_floating:
                raise TypeError(
                    f"{self.name}.{method}: expected {self._layer.compute_dtype}, got {dtype.name}; cast numbers to "
                    "floats, and map uint8 images with Glow.dequantize or glow_tf.quantization."
                )

    def condition_of(self, keywords: Mapping[str, Any]) -> Any:
        """Return the condition of a call: the one among its keywords, else that of the bijector.

        Raises:
            TypeError: a keyword is unknown, or both names are given.
        """
        unknown = [name for name in keywords if name not in CONDITION_NAMES]
        if unknown:
            hint = did_you_mean(unknown[0], CONDITION_NAMES)
            raise TypeError(f"{self.name}: expected no keyword but condition (labels), got {', '.join(unknown)}.{hint}")
        if len(keywords) > 1:
            raise TypeError(f"{self.name}: `labels` is another name of `condition`; give one of them.")
        return next(iter(keywords.values()), self._condition)

    def call_layer(
        self, method: Literal["encode", "decode"], value: Any, condition: TensorLike | None
    ) -> tuple[Any, Tensor]:
        """Run `encode` or `decode` of the layer on a value, broadcast with the condition's batch shape.

        Args:
            method: the layer's method.
            value: `[..., *event]`, or a list of latents.
            condition: labels, or None.

        Returns:
            The value on the other side, and the log-determinant `[...]` in nats.
        """
        ndims = self.forward_min_event_ndims if method == "decode" else self.inverse_min_event_ndims
        if condition is not None:
            condition = self._to_tensor(condition)
            value = tf.nest.map_structure(lambda v, n: _broadcast_lead(v, n, condition), value, ndims)
        if self.validate_args:
            message = f"{self.name}.{'forward' if method == 'decode' else 'inverse'}: expected finite values"
            value = tf.nest.map_structure(lambda v: tf.debugging.assert_all_finite(v, message), value)
        return getattr(self._layer, method)(value, condition)

    def _to_tensor(self, condition: TensorLike) -> Tensor | tf.Variable:
        """Return labels as a tensor; a variable stays a variable, so that TFP finds it and later values take effect."""
        if isinstance(condition, dict):
            keys = ", ".join(map(str, condition))
            raise TypeError(f"{self.name}: expected labels, got a dictionary of {keys}; give one of its entries.")
        return condition if isinstance(condition, tf.Variable) else tf.convert_to_tensor(condition)

    def _is_list(self) -> bool:
        return isinstance(self.forward_min_event_ndims, (list, tuple))

    def _forward_dtype(self, dtype: Any, **kwargs: Any) -> Any:
        return self.dtype

    def _inverse_dtype(self, dtype: Any, **kwargs: Any) -> Any:
        return [self.dtype] * len(self.forward_min_event_ndims) if self._is_list() else self.dtype

    # Event shapes: those of the layer, behind any further axes.

    def _forward_event_shape(self, shape: Any) -> Any:
        ndims = self.forward_min_event_ndims, self.inverse_min_event_ndims
        return map_event_shape(self._layer.decoded_shape, shape, *ndims, self.name)

    def _inverse_event_shape(self, shape: Any) -> Any:
        ndims = self.inverse_min_event_ndims, self.forward_min_event_ndims
        return map_event_shape(self._layer.encoded_shape, shape, *ndims, self.name)

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        ndims = self.forward_min_event_ndims, self.inverse_min_event_ndims
        return map_event_shape_tensor(self._layer.decoded_shape, shape, *ndims)

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        ndims = self.inverse_min_event_ndims, self.forward_min_event_ndims
        return map_event_shape_tensor(self._layer.encoded_shape, shape, *ndims)


def deepcopy_by_parameters(original: _Copied, memo: dict[int, Any]) -> _Copied:
    """Copy a bijector or distribution by making a new one from copied parameters.

    A copy attribute by attribute would copy its variables separately from those of the copied layer or model. (Keras
    copies a layer by saving and loading it, so a layer that cannot be saved cannot be copied.)
    """
    parameters = {k: v if tf.is_tensor(v) else copy.deepcopy(v, memo) for k, v in original.parameters.items()}
    memo[id(original)] = type(original)(**parameters)
    return memo[id(original)]


def _broadcast_lead(value: Tensor, ndims: int, condition: Tensor | tf.Variable) -> Tensor:
    """Broadcast the leading dimensions of a value of `ndims` event axes with the shape of a condition.

    Shapes that cannot be broadcast stay as they are: the layer raises the error for them.
    """
    lead, batch = value.shape[:-ndims], condition.shape
    try:
        expected = tf.broadcast_static_shape(lead, batch)
    except ValueError:
        return value
    if batch.rank == 0 or (expected.is_fully_defined() and expected == lead):
        return value
    shape = tf.broadcast_dynamic_shape(tf.shape(value)[: tf.rank(value) - ndims], tf.shape(condition))
    result = tf.broadcast_to(value, tf.concat([shape, tf.shape(value)[tf.rank(value) - ndims :]], 0))
    return tf.ensure_shape(result, expected.concatenate(value.shape[-ndims:]))
