"""`FlatFlow`: the list of latents as one vector, finest level first, in the order of the original code."""

import math

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer


@keras.saving.register_keras_serializable("glow_tf")
class FlatFlow(FlowLayer):
    """Flow of images to one vector: another flow's list of latents, concatenated.

    | | |
    |---|---|
    | function | `z = concat(flatten(eps_0), ..., flatten(eps_{L-1}))` with `eps = flow(x)` |
    | reverse function | `x = flow^-1(split and reshape z)` |
    | log-determinant | the flow's |
    | shapes | `[B, H, W, C] -> [B, H * W * C]` |

    Args:
        flow: a `FlowLayer` that returns a list, such as `GlowFlow`.
    """

    def __init__(self, flow, **kwargs):
        kwargs["dtype"] = kwargs.get("dtype") or flow.compute_dtype
        super().__init__(event_ndims=kwargs.pop("event_ndims", 3), **kwargs)
        self.flow = flow

    @property
    def is_constant_jacobian(self):
        return self.flow.is_constant_jacobian

    def build(self, input_shape):
        super().build(input_shape)
        if not self.flow.built:
            self.flow.build(input_shape)
        if not isinstance(self.flow.encoded_shape(self.event_shape), list):
            raise ValueError(f"{self.name}: expected a flow to a list of latents, {self.flow.name} gives one tensor.")

    def _encode(self, x, condition=None):
        eps, log_det = self.flow.encode(x, condition)
        return tf.concat([tf.reshape(e, [-1, math.prod(e.shape[1:])]) for e in eps], 1), log_det

    def _decode(self, z, condition=None):
        shapes = self.flow.encoded_shape(self.event_shape)
        parts = tf.split(z, [math.prod(s) for s in shapes], axis=1)
        return self.flow.decode([tf.reshape(p, [-1, *s]) for p, s in zip(parts, shapes, strict=True)], condition)

    def _initialize(self, x, condition=None):
        self.flow.initialize(x, condition)
        return self._encode(x, condition)[0]

    def encoded_shape(self, event_shape):
        return (math.prod(event_shape) if None not in event_shape else None,)

    def decoded_shape(self, event_shape):
        if self.event_shape is None:
            raise ValueError(f"{self.name}: a vector does not tell the image's shape; build the layer first.")
        return self.event_shape

    def get_config(self):
        return {**super().get_config(), "flow": keras.saving.serialize_keras_object(self.flow)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)  # the caller's stays as it is
        return cls(keras.saving.deserialize_keras_object(config.pop("flow")), **config)
