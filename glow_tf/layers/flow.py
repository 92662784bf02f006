"""The contract of a flow layer: an invertible map with a known log-determinant.

The author of a layer writes

| method | does |
|---|---|
| `build(input_shape)` | calls `super().build(input_shape)`, makes weights for `self.channels`, `self.event_shape` |
| `_encode(x, condition=None)` | returns `(z, log_det)`: the paper's "function" (Table 1), image -> latent |
| `_decode(z, condition=None)` | returns `(x, log_det)`: the paper's "reverse function", latent -> image |
| `_initialize(x, condition=None)` | sets weights from a batch and returns `z`; only for layers with such weights |
| `encoded_shape(shape)`, `decoded_shape(shape)` | return the other side's event shape; only where it differs |

`log_det` has shape `[B]` and is the log-determinant of the same direction, so the two are negatives of each other.
The base class turns these methods into the public `encode`, `decode`, `initialize` and `as_bijector`. These build the
layer on first use, check their input and accept any number of leading batch dimensions.
`docs/guides/write_a_layer.md` has an example that passes every test of the layers here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from glow_tf.autograph import without_autograph
from glow_tf.counts import counted
from glow_tf.errors import DataError
from glow_tf.layers.checked_values import CheckedValues, default_event_ndims
from glow_tf.layers.keras_contract import TracedOutputs, UncastWeights, require_full_precision, require_one_tensor
from glow_tf.layers.loading import FiniteWeights
from glow_tf.layers.made_parts import MadeParts
from glow_tf.layers.old_contract import OldContract
from glow_tf.layers.options import describe_layer
from glow_tf.layers.refused_builds import as_before_on_error
from glow_tf.layers.tensors import holds_tensors
from glow_tf.layers.trainable_parts import StoredParts
from glow_tf.types import Config, EventShape, ShapeLike, Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.bijector import LayerBijector


@keras.saving.register_keras_serializable("glow_tf")
class FlowLayer(
    OldContract, CheckedValues, FiniteWeights, UncastWeights, MadeParts, TracedOutputs, StoredParts, keras.layers.Layer
):
    """Map values invertibly, with a known log-determinant: the base class of all flow layers.

    A value is a tensor `[..., *event]`, or a list of tensors if a layer splits its input. Every constructor argument
    is an attribute, and `print(layer)` shows them all.

    Args:
        event_ndims: the number of axes of one example. By default the first build sets it: to 3 for inputs of four
            axes or more (`[..., H, W, C]`), else to the number of axes without the first (`[B, C]` gives 1).
        dtype: `"float32"` (the default, regardless of Keras's global policy) or `"float64"`. A flow in half precision
            would not be invertible; see `CouplingNetwork` for mixed precision.
        **kwargs: options of `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: `dtype` is neither float32 nor float64.

    Attributes:
        event_shape: the shape of one example, `(..., C)`, set by the first build; an unknown size is None.
        channels: C, set by the first build.
        is_constant_jacobian: True if the Jacobian does not depend on the input, that is, for an affine map. TFP can
            then compute entropies and means.
        is_permutation: True if the layer only moves values; TFP can then compute standard deviations.
        takes_condition: True if the layer or one of its parts reads the condition; any other refuses one.

    Source: section 2 and Table 1 of https://arxiv.org/abs/1807.03039.

    Example:
        >>> class Negate(FlowLayer):
        ...     def _encode(self, x, condition=None):
        ...         return -x, tf.zeros(tf.shape(x)[:1], x.dtype)
        ...
        ...     def _decode(self, z, condition=None):
        ...         return -z, tf.zeros(tf.shape(z)[:1], z.dtype)
        >>> z, log_det = Negate().encode(tf.ones([2, 3]))
        >>> z.shape, log_det.shape
        (TensorShape([2, 3]), TensorShape([2]))
    """

    is_constant_jacobian = False
    is_permutation = False

    def __init__(self, *, event_ndims: int | None = None, dtype: str | None = None, **kwargs: Any) -> None:
        super().__init__(dtype=dtype or "float32", autocast=False, **kwargs)
        require_full_precision(self)
        # `Any`, as the methods that read them run after the build, which makes them ints and a tuple.
        self.event_ndims: Any = event_ndims
        self.event_shape: Any = None
        self.channels: Any = None

    # What an author writes.

    @property
    def takes_condition(self) -> bool:
        """True if a part reads the condition; a layer that reads it itself has a class attribute of this name."""
        return any(part.takes_condition for part in self._layers if isinstance(part, FlowLayer))

    def build(self, input_shape: ShapeLike) -> None:
        """Set the event axes and the number of channels; a subclass calls this first, then makes its weights.

        Args:
            input_shape: `(B, *event)`; B and spatial sizes may be None.

        Raises:
            ValueError: there are fewer than `event_ndims` axes, or the number of channels is unknown.
        """
        if not input_shape:
            raise ValueError(f"{self.name}: expected an axis of channels, got a scalar.")
        if self.event_ndims is None:
            self.event_ndims = default_event_ndims(len(input_shape))
        if len(input_shape) < self.event_ndims:
            raise ValueError(
                f"{self.name}: expected {counted(self.event_ndims, 'event axis', 'event axes')}, got the shape "
                f"{tuple(input_shape)}."
            )
        self.event_shape = tuple(input_shape[-self.event_ndims :])
        self.channels = self.event_shape[-1]
        if self.channels is None:
            raise ValueError(f"{self.name}: the number of channels must be known, got {tuple(input_shape)}.")

    def _encode(self, x: Any, condition: Tensor | None = None) -> tuple[Any, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} has no _encode(x, condition) -> (z, log_det).")

    def _decode(self, z: Any, condition: Tensor | None = None) -> tuple[Any, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} has no _decode(z, condition) -> (x, log_det).")

    def _initialize(self, x: Any, condition: Tensor | None = None) -> Any:
        return self._encode(x, condition)[0]

    def encoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the event shape of `z` for an event shape of `x`; a list of shapes if `z` is a list."""
        return event_shape

    def decoded_shape(self, event_shape: EventShape) -> EventShape:
        """Return the event shape of `x` for the event shape (or list of them) of `z`."""
        return event_shape

    # What everyone calls.

    @without_autograph
    def encode(self, x: TensorLike, condition: TensorLike | None = None) -> tuple[Any, Tensor]:
        """Map images to latents.

        Args:
            x: `[..., *event]` in the layer's dtype, or nested lists of numbers.
            condition: labels, int `[...]` like the leading dimensions, or None.

        Returns:
            `z`, and `log_det` `[...]`, the log-determinant of dz/dx in nats.

        Raises:
            ValueError: `x` has another rank or other channels than the layer, or the condition does not fit it or is
                given to a layer that takes none.
            TypeError: `x` has another dtype, or the condition is a dictionary.
        """
        return self._apply(self._encode, x, condition, "encode")

    @without_autograph
    def decode(self, z: TensorLike, condition: TensorLike | None = None) -> tuple[Any, Tensor]:
        """Map latents to images: the inverse of `encode`.

        Args:
            z: `[..., *event]`, or a list of latents, in the layer's dtype; each may be nested lists of numbers.
            condition: labels, int `[...]` like the leading dimensions, or None.

        Returns:
            `x`, and `log_det` `[...]`, the log-determinant of dx/dz in nats.

        Raises:
            ValueError: `z` has another rank, length or other channels than `encode` returns, or the condition does not
                fit it or is given to a layer that takes none.
            TypeError: `z` has another dtype, or the condition is a dictionary.
        """
        return self._apply(self._decode, z, condition, "decode")

    @without_autograph
    def initialize(self, x: TensorLike, condition: TensorLike | None = None) -> Any:
        """Set data-dependent weights (actnorm) from the batch `x` and return `z`.

        Call it once, eagerly, on a fresh layer: it leaves no flag behind (paper, section 3.1).

        Args:
            x: `[..., *event]` in the layer's dtype, or nested lists of numbers.
            condition: labels, int `[...]` like the leading dimensions, or None.

        Returns:
            `z`, as `encode` returns it with the new weights.

        Raises:
            DataError: the batch is empty or not finite; no weight is set then.
        """
        with as_before_on_error(self):
            batch = self._checked(x, "initialize")
            if 0 in batch.shape[: -self.event_ndims].as_list():
                raise DataError(
                    f"{self.name}.initialize: expected at least one example, got the shape {tuple(batch.shape)}."
                )
            if tf.executing_eagerly() and not tf.reduce_all(tf.math.is_finite(batch)):
                raise DataError(f"{self.name}.initialize: expected a batch of finite values, got NaN or infinite ones.")

            def initialize_batch(batch: Tensor, labels: Tensor | None) -> tuple[Any, Tensor]:
                return self._initialize(batch, labels), tf.zeros(tf.shape(batch)[:1], batch.dtype)

            return self._apply(initialize_batch, batch, condition, "initialize")[0]

    def __call__(self, x: TensorLike, *args: Any, **kwargs: Any) -> Any:
        """Run `call`; refuse a list of tensors with an error that explains how to chain layers."""
        require_one_tensor(x, self.name)
        if isinstance(x, list | tuple) and not holds_tensors(x):  # Keras would take the numbers for further arguments
            x = tf.convert_to_tensor(x, self.compute_dtype)
        with as_before_on_error(self):
            return super().__call__(x, *args, **kwargs)

    def call(self, x: TensorLike, condition: TensorLike | None = None) -> tuple[Any, Tensor]:
        """Run `encode`: the entry point of Keras."""
        return self.encode(x, condition)

    def compute_output_shape(self, input_shape: ShapeLike) -> tuple[Any, tuple[int | None, ...]]:
        """Return the shapes of `(z, log_det)` for the shape of `x`, `[..., *event]`."""
        ndims = default_event_ndims(len(input_shape)) if self.event_ndims is None else self.event_ndims
        lead, shapes = tuple(input_shape[:-ndims]), self.encoded_shape(tuple(input_shape[-ndims:]))
        return [(*lead, *s) for s in shapes] if isinstance(shapes, list) else (*lead, *shapes), lead

    def as_bijector(
        self,
        event_shape: ShapeLike | int | None = None,
        condition: TensorLike | None = None,
        name: str | None = None,
        *,
        validate_args: bool = False,
    ) -> LayerBijector:
        """Return a `tfb.Bijector` over this layer's own weights: forward = `decode`, latent -> image (as in TFP).

        Args:
            event_shape: the shape of one image (or vector), for which the layer is built. If it is None, or its number
                of channels is None, the first call builds the layer. None stands for the shape of an image.
            condition: labels that broadcast against the leading dimensions, or None.
            name: name of the bijector.
            validate_args: check in every call that values are finite.

        Raises:
            ValueError: the event shape does not fit the layer, or a condition is given to a layer that takes none.
            TypeError: the condition is a dictionary.
        """
        from glow_tf.bijector import LayerBijector  # here, because TFP takes a second to import

        self.settle_event(event_shape)
        return LayerBijector(self, condition, validate_args, name or self.name)

    def settle_event(self, event_shape: ShapeLike | int | None = None) -> None:
        """Set the number of event axes, and build the layer if the shape has a known number of channels.

        A composite layer calls this for its parts, so that one that was built before must fit.

        Args:
            event_shape: the shape of one example, or the length of a vector; None stands for an image.

        Raises:
            ValueError: the shape has another number of axes than the layer expects, or another number of channels than
                that for which it was built.
        """
        if event_shape is None:
            self.event_ndims = self.event_ndims or 3
            return
        event_shape = tuple(tf.TensorShape(event_shape))
        if self.built and (len(event_shape) != self.event_ndims or event_shape[-1] not in (None, self.channels)):
            raise ValueError(f"{self.name} was built for the event shape {self.event_shape}, got {event_shape}.")
        if len(event_shape) != (self.event_ndims or len(event_shape)) or not event_shape:
            expected = f"{counted(self.event_ndims or 1, 'axis', 'axes')}{'' if self.event_ndims else ' or more'}"
            raise ValueError(f"{self.name}: expected an event shape of {expected}, got {event_shape}.")
        with as_before_on_error(self):
            self.event_ndims = len(event_shape)
            if not self.built and event_shape[-1] is not None:
                self.build((None, *event_shape))

    def get_config(self) -> Config:
        """Return the options, from which `from_config` makes the layer; a subclass adds its own options."""
        config = super().get_config()
        config.pop("autocast", None)
        config.update(dtype=self.compute_dtype, event_ndims=self.event_ndims)
        return config

    def __repr__(self) -> str:
        return describe_layer(self)
