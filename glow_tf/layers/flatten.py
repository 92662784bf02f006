"""`FlatFlow`: the list of latents as one vector, finest level first, in the order of the original code."""

import math
from typing import Any, Self

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer
from glow_tf.types import Config, EventShape, Latents, ShapeLike, Tensor


@keras.saving.register_keras_serializable("glow_tf")
class FlatFlow(FlowLayer):
    """Concatenate another flow's list of latents to one vector.

    | | |
    |---|---|
    | function | `z = concat(flatten(eps_0), ..., flatten(eps_{L-1}))` with `eps = flow(x)` |
    | reverse function | `x = flow^-1(split and reshape z)` |
    | log-determinant | the flow's |
    | shapes | `[B, H, W, C] -> [B, H * W * C]` |

    Args:
        flow: a flow layer that returns a list, such as `GlowFlow`.
        **kwargs: options of `FlowLayer`: `event_ndims` (default 3), `dtype` (default: that of the flow) and `name`.

    Raises:
        ValueError: the flow returns one tensor.

    Source: figure 2b of https://arxiv.org/abs/1807.03039 gives the latents; their order in the vector is that of the
    original code.

    Example:
        >>> from glow_tf.layers import GlowFlow
        >>> flow = FlatFlow(GlowFlow(levels=2, depth=1, width=4, seed=0))
        >>> z, log_det = flow.encode(tf.zeros([2, 8, 8, 1]))
        >>> z.shape, flow.decode(z)[0].shape
        (TensorShape([2, 64]), TensorShape([2, 8, 8, 1]))
    """

    def __init__(self, flow: FlowLayer, **kwargs: Any) -> None:
        kwargs["dtype"] = kwargs.get("dtype") or flow.compute_dtype
        super().__init__(event_ndims=kwargs.pop("event_ndims", 3), **kwargs)
        self.flow = flow

    @property
    def is_constant_jacobian(self) -> bool:
        """True if the flow's Jacobian does not depend on the input."""
        return self.flow.is_constant_jacobian

    def build(self, input_shape: ShapeLike) -> None:
        """Build the flow."""
        super().build(input_shape)
        self.flow.settle_event(self.event_shape)
        if not isinstance(self.flow.encoded_shape(self.event_shape), list):
            raise ValueError(f"{self.name}: expected a flow to a list of latents, {self.flow.name} gives one tensor.")

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not x.shape[1:].is_fully_defined():  # the shape is checked when the graph runs
            x = tf.ensure_shape(x, [None, *self.event_shape])
        eps, log_det = self.flow.encode(x, condition)
        return _flatten(eps), log_det

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        shapes = self.flow.encoded_shape(self.event_shape)
        parts = tf.split(z, [math.prod(s) for s in shapes], axis=1)
        return self.flow.decode([tf.reshape(p, [-1, *s]) for p, s in zip(parts, shapes, strict=True)], condition)

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return _flatten(self.flow.initialize(x, condition))

    def settle_event(self, event_shape: ShapeLike | int | None = None) -> None:
        """Set the event axes as `FlowLayer` does; a built layer takes only images of the size it was built for."""
        fits = event_shape is None or tf.TensorShape(event_shape).is_compatible_with(self.event_shape)
        if self.built and not fits:
            raise ValueError(f"{self.name} was built for the event shape {self.event_shape}, got {event_shape}.")
        super().settle_event(event_shape)

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return `(H * W * C,)`, or `(None,)` if a size is unknown."""
        return (math.prod(event_shape) if None not in event_shape else None,)

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the shape of one image; the layer must have been built for this shape."""
        if self.event_shape is None:
            raise ValueError(f"{self.name}: a vector does not tell the image's shape; build the layer first.")
        return self.event_shape

    def get_config(self) -> Config:
        """Return the options and the flow."""
        return {**super().get_config(), "flow": keras.saving.serialize_keras_object(self.flow)}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the layer from what `get_config` returned."""
        config = dict(config)  # the caller's stays as it is
        return cls(keras.saving.deserialize_keras_object(config.pop("flow")), **config)


def _flatten(eps: Latents) -> Tensor:
    """Return latents as vectors `[B, D]`, finest level first."""
    return tf.concat([tf.reshape(e, [-1, e.shape[1:].num_elements()]) for e in eps], 1)
