"""`FlowSequential`: a chain of flow layers."""

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

import keras
import tensorflow as tf

from glow_tf.counts import counted
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import first_latent
from glow_tf.types import Config, EventShape, ShapeLike, Tensor, Value


@keras.saving.register_keras_serializable("glow_tf")
class FlowSequential(FlowLayer):
    """Chain layers: `encode` runs them first to last, `decode` last to first.

    | | |
    |---|---|
    | function | `z = layers[-1](... layers[0](x))` |
    | reverse function | the inverses in the opposite order |
    | log-determinant | the sum over the layers |
    | shapes | those of the layers, one after another |

    Every layer that takes a condition gets it. The order is that of `keras.Sequential`. `tfb.Chain` takes its list in
    the opposite order, that of mathematical composition.

    Args:
        layers: flow layers of one dtype.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype` (default: that of the layers) and `name`.

    Raises:
        TypeError: an element of `layers` is not a flow layer.
        ValueError: their dtypes or numbers of event axes differ, or a layer before the last splits its input.

    Source: equations 6 and 7 of https://arxiv.org/abs/1807.03039: the log-determinants of a sequence of maps add.

    Example:
        >>> from glow_tf.layers import ActNorm, Coupling
        >>> chain = FlowSequential([ActNorm(), Coupling(width=4)])
        >>> z, log_det = chain.encode(tf.ones([5, 2]))
        >>> len(chain), z.shape, log_det.shape
        (2, TensorShape([5, 2]), TensorShape([5]))
    """

    def __init__(self, layers: Iterable[FlowLayer], **kwargs: Any) -> None:
        layers = list(layers)
        wrong_types = [type(layer).__name__ for layer in layers if not isinstance(layer, FlowLayer)]
        if wrong_types:
            raise TypeError(f"FlowSequential: expected a list of flow layers, got a {wrong_types[0]} in it.")
        dtype = kwargs.pop("dtype", None) or (layers[0].compute_dtype if layers else None)
        super().__init__(dtype=dtype, **kwargs)
        for layer in layers:
            if layer.compute_dtype != self.compute_dtype:
                raise ValueError(
                    f"{self.name}: all layers need dtype {self.compute_dtype}, {layer.name} has {layer.compute_dtype}."
                )
        # One attribute a layer: tf.train.Checkpoint does not look into lists.
        for i, layer in enumerate(layers):
            setattr(self, f"layer_{i}", layer)
        self.depth = len(layers)

    @property
    def layers(self) -> list[FlowLayer]:
        """The layers, in the order of `encode`."""
        return [getattr(self, f"layer_{i}") for i in range(self.depth)]

    def __len__(self) -> int:
        return self.depth

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[FlowLayer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> FlowLayer: ...

    @overload
    def __getitem__(self, index: slice) -> "FlowSequential": ...

    def __getitem__(self, index: int | slice) -> FlowLayer:
        """Return one layer, or, for a slice, a chain of the selected layers, of their dtype and event axes."""
        if not isinstance(index, slice):
            return self.layers[index]
        positions = range(self.depth)[index]
        event_ndims = self._event_ndims_before(positions[0]) if positions else self.event_ndims
        return FlowSequential(self.layers[index], event_ndims=event_ndims, dtype=self.compute_dtype)

    def _event_ndims_before(self, position: int) -> int | None:
        """Return the number of event axes of the input of a layer, or None where nothing has set it yet."""
        if self.event_ndims is None:
            return self.layers[position].event_ndims
        shape = self.event_shape or (64,) * self.event_ndims  # any: only the number of axes is read off
        for layer in self.layers[:position]:
            shape = layer.encoded_shape(shape)
        return len(shape)

    @property
    def is_constant_jacobian(self) -> bool:
        """True if no layer's Jacobian depends on the input."""
        return all(layer.is_constant_jacobian for layer in self.layers)

    @property
    def is_permutation(self) -> bool:
        """True if all layers only move values."""
        return all(layer.is_permutation for layer in self.layers)

    def build(self, input_shape: ShapeLike) -> None:
        """Build the layers, one after another."""
        super().build(input_shape)
        shape = self.event_shape
        for layer in self.layers:
            if isinstance(shape, list):
                raise ValueError(
                    f"{self.name}: {layer.name} takes one tensor, the layers before it give a list of {len(shape)}; "
                    "only the last layer may split its input."
                )
            if layer.event_ndims not in (None, len(shape)):  # its log-determinants would have other axes than the sum
                raise ValueError(
                    f"{self.name}: {layer.name} has {counted(layer.event_ndims, 'event axis', 'event axes')}, the "
                    f"chain has {len(shape)} there; make the layer without event_ndims."
                )
            layer.settle_event(shape)
            shape = layer.encoded_shape(shape)

    def _encode(self, x: Value, condition: Tensor | None = None) -> tuple[Value, Tensor]:
        total = tf.zeros(tf.shape(first_latent(x))[:1], self.compute_dtype)
        for layer in self.layers:
            x, log_det = layer.encode(x, condition if layer.takes_condition else None)
            total += log_det
        return x, total

    def _decode(self, z: Value, condition: Tensor | None = None) -> tuple[Value, Tensor]:
        total = tf.zeros(tf.shape(first_latent(z))[:1], self.compute_dtype)
        for layer in reversed(self.layers):
            z, log_det = layer.decode(z, condition if layer.takes_condition else None)
            total += log_det
        return z, total

    def _initialize(self, x: Value, condition: Tensor | None = None) -> Value:
        for layer in self.layers:
            x = layer.initialize(x, condition if layer.takes_condition else None)
        return x

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the event shape of the last layer's output."""
        for layer in self.layers:
            event_shape = layer.encoded_shape(event_shape)
        return event_shape

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the event shape of the first layer's input."""
        for layer in reversed(self.layers):
            event_shape = layer.decoded_shape(event_shape)
        return event_shape

    def get_config(self) -> Config:
        """Return the options and the layers."""
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the chain from what `get_config` returned."""
        config = dict(config)  # the caller's stays as it is
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config.pop("layers")]
        return cls(layers=layers, **config)
