"""Check the input of a flow layer and the results of its author's methods; build the layer on first use.

A wrong shape that TensorFlow broadcasts silently gives a wrong number, so every known shape is checked here, once for
all layers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import tensorflow as tf

from glow_tf.arguments import refuse_masked
from glow_tf.counts import counted
from glow_tf.io import describe_error
from glow_tf.layers.refused_builds import WholeBuilds, as_before_on_error
from glow_tf.layers.tensors import first_latent, flatten_to_event, holds_tensors, map_latents
from glow_tf.types import EventShape, Tensor, TensorLike

Method: TypeAlias = Literal["encode", "decode", "initialize"]


class CheckedValues(WholeBuilds):
    """Mixin of `FlowLayer`: the checks, and any number of leading dimensions."""

    event_ndims: Any
    event_shape: Any
    channels: Any
    encoded_shape: Callable[[EventShape], EventShape]
    decoded_shape: Callable[[EventShape], EventShape]
    takes_condition: Any

    def check_condition(self, condition: TensorLike | None, caller: str) -> None:
        """Raise a `ValueError` that names the caller if a condition is given to a layer that would ignore it."""
        if condition is not None and not self.takes_condition:
            raise ValueError(
                f"{caller}: this layer is unconditional and takes no labels, got a condition; leave it out (a layer of "
                "your own that reads one has takes_condition = True)."
            )

    def _apply(
        self, function: Callable[..., tuple[Any, Tensor]], value: Any, condition: TensorLike | None, method: Method
    ) -> tuple[Any, Tensor]:
        """Check a value, flatten its leading dimensions to `[B]`, run the author's method, and unflatten the result.

        A first value that is refused, by this layer or by one of its parts, does not settle the layer's shape.
        """
        self.check_condition(condition, f"{self.name}.{method}")
        with contextlib.nullcontext() if self.built else as_before_on_error(self):
            return self._apply_checked(function, value, condition, method)

    def _apply_checked(
        self, function: Callable[..., tuple[Any, Tensor]], value: Any, condition: TensorLike | None, method: Method
    ) -> tuple[Any, Tensor]:
        value = self._checked(value, method)
        probe = first_latent(value)
        ndims = self._latent_ndims() if method == "decode" else self.event_ndims
        lead, static_lead = tf.shape(probe)[:-ndims], probe.shape[:-ndims]
        condition = self._broadcast(condition, probe, ndims, method)
        if static_lead.num_elements() == 0:
            return self._empty_result(value, ndims, method)
        if probe.shape.rank is None:
            value = flatten_to_event(value, self._expected_shape(method), f"{self.name}.{method}")
        if probe.shape.rank == ndims + 1:
            result, log_det = function(value, condition)
            return result, self._checked_log_det(log_det, static_lead[0], method)

        def flatten(v: Tensor) -> Tensor:
            return tf.reshape(v, tf.concat([[-1], tf.shape(v)[-ndims:]], 0))

        def unflatten(v: Tensor) -> Tensor:
            result = tf.reshape(v, tf.concat([lead, tf.shape(v)[1:]], 0))
            return tf.ensure_shape(result, static_lead.concatenate(v.shape[1:]))

        result, log_det = function(map_latents(flatten, value), condition)
        log_det = self._checked_log_det(log_det, static_lead.num_elements(), method)
        return map_latents(unflatten, result), unflatten(log_det)

    def _empty_result(self, value: Any, ndims: int, method: Method) -> tuple[Any, Tensor]:
        """Return the result for an empty batch, on which TensorFlow's convolutions fail on a CPU."""
        shape = map_latents(lambda v: tuple(v.shape[-ndims:]), value)
        shape = self.decoded_shape(shape) if method == "decode" else self.encoded_shape(shape)
        lead = first_latent(value).shape[:-ndims].as_list()
        shapes = shape if isinstance(shape, list) else [shape]
        zeros = [tf.zeros([*lead, *s], self.compute_dtype) for s in shapes]
        return zeros if isinstance(shape, list) else zeros[0], tf.zeros(lead, self.compute_dtype)

    def _broadcast(self, condition: TensorLike | None, value: Tensor, ndims: int, method: Method) -> Tensor | None:
        """Broadcast a condition to the leading dimensions of `value` and flatten it to `[B]`; None stays None."""
        if condition is None:
            return None
        shape, lead = tf.shape(value)[:-ndims], value.shape[:-ndims]
        known = "of the value" if lead.rank is None else lead.as_list()
        expected = f"{self.name}.{method}: expected labels that broadcast to the leading dimensions {known}"
        if isinstance(condition, dict):
            raise TypeError(
                f"{expected}, got a dictionary of {', '.join(map(str, condition))}; give one of its entries."
            )
        condition = tf.convert_to_tensor(condition)
        if lead.rank == 1 and condition.shape.rank == 2 and condition.shape[1] == 1:
            condition = condition[:, 0]  # a column, as data sets have them
        if lead.is_fully_defined() and condition.shape.is_fully_defined():
            try:
                matches = tf.broadcast_static_shape(condition.shape, lead) == lead
            except ValueError:
                matches = False
            if not matches:
                raise ValueError(f"{expected}, got the shape {list(condition.shape)}.")
        return tf.reshape(tf.broadcast_to(condition, shape), [-1])

    def _checked(self, value: Any, method: Method) -> Any:
        """Return the value as tensors of the right dtype, rank and channels, or raise; build on first use."""
        if isinstance(value, list | tuple) and not self._takes_list(method):
            if holds_tensors(value):
                raise ValueError(f"{self.name}.{method}: expected one tensor, got a list of {len(value)}.")
            value = self._with_dtype(value, method)  # nested lists of numbers
        value = map_latents(lambda v: self._with_dtype(v, method), value)
        event_shape = self.event_shape if self.built else self._event_shape_of(value, method)
        expected = self.encoded_shape(event_shape) if method == "decode" else event_shape
        is_list = isinstance(value, list)
        if is_list != isinstance(expected, list) or (is_list and len(value) != len(expected)):
            raise ValueError(
                f"{self.name}.{method}: expected {_count_tensors(expected)}, got "
                f"{_count_tensors(map_latents(lambda v: tuple(v.shape), value))}."
            )
        for v, shape in zip(value if is_list else [value], expected if is_list else [expected], strict=True):
            if v.shape.rank is None and None not in shape and method != "initialize":
                continue  # an event of the layer's own shape; `_apply` reshapes to it
            if v.shape.rank is None or v.shape.rank < len(shape) or v.shape[-1] != shape[-1]:
                raise ValueError(
                    f"{self.name}.{method}: expected shape [..., {', '.join(map(str, shape))}] "
                    f"({counted(len(shape), 'event axis', 'event axes')}, {counted(shape[-1], 'channel')}), got "
                    f"{v.shape}."
                )
        if is_list:
            self._check_latents(value, list(expected))
        if not self.built:
            self.build((None, *event_shape))
        return value

    def _takes_list(self, method: Method) -> bool:
        """Return whether the values of a method are lists of tensors."""
        shape = self.event_shape if self.built else (64,) * (self.event_ndims or 3)  # any: only lists are looked for
        return method == "decode" and isinstance(self.encoded_shape(shape), list)

    def _event_shape_of(self, value: Any, method: Method) -> EventShape:
        """Return the event shape of images for which to build an unbuilt layer, from its first value."""
        rank = first_latent(value).shape.rank
        if rank is None:
            raise ValueError(
                f"{self.name}.{method}: expected a tensor of known rank in the first call, which builds the layer, "
                "got <unknown>; set it with tf.ensure_shape, or build the layer before."
            )
        ndims = default_event_ndims(rank) if self.event_ndims is None else self.event_ndims
        if rank < ndims:
            remedy = "; for vectors, pass event_shape=[C] to the bijector, or event_ndims=1 to the layer"
            raise ValueError(
                f"{self.name}.{method}: expected a shape of at least {counted(ndims, 'event axis', 'event axes')}, got "
                f"{first_latent(value).shape}{remedy if ndims > 1 else ''}."
            )
        shape = map_latents(lambda v: tuple(v.shape[-ndims:]), value)
        return self.decoded_shape(shape) if method == "decode" else shape

    def _check_latents(self, latents: list[Tensor], expected: list[EventShape]) -> None:
        """Raise a `ValueError` unless all latents have one batch shape and the shapes of the levels of an image."""
        if any(v.shape.rank is None for v in latents):
            return
        shapes = ", ".join(str(v.shape) for v in latents)
        leads = [v.shape[: -len(shape)] for v, shape in zip(latents, expected, strict=True)]
        if not all(lead.is_compatible_with(leads[0]) for lead in leads):
            raise ValueError(f"{self.name}.decode: expected latents of the same leading dimensions, got {shapes}.")
        events = [tuple(v.shape[-len(shape) :]) for v, shape in zip(latents, expected, strict=True)]
        of_one_image = self.encoded_shape(self.decoded_shape(events))
        if not all(tf.TensorShape(e).is_compatible_with(s) for e, s in zip(events, of_one_image, strict=True)):
            such_as = ", ".join(str(list(shape)) for shape in of_one_image)
            raise ValueError(f"{self.name}.decode: expected latents of one image, such as {such_as}, got {shapes}.")

    def _checked_log_det(self, log_det: Tensor, size: int | None, method: Method) -> Tensor:
        """Return the log-determinant of an author's method; raise if it does not have one value per example, `[size]`.

        A log-determinant of shape `[B, 1]`, added to one of shape `[B]`, would give `[B, B]`.
        """
        log_det = tf.convert_to_tensor(log_det)
        if not log_det.shape.is_compatible_with([size]):
            count = "B" if size is None else size
            raise ValueError(
                f"{self.name}.{method}: expected _{method} to return a log-determinant per example, [{count}], got the "
                f"shape {log_det.shape}."
            )
        return log_det

    def _with_dtype(self, v: TensorLike, method: Method) -> Tensor:
        refuse_masked(v, f"{self.name}.{method}")
        try:
            v = tf.convert_to_tensor(v, None if hasattr(v, "dtype") else self.compute_dtype)
        except (TypeError, ValueError) as error:
            expected = f"{self.name}.{method}: expected tensors of {self.compute_dtype}"
            raise TypeError(f"{expected}, got a {type(v).__name__}: {describe_error(error)}") from error
        if v.dtype.name != self.compute_dtype:
            raise TypeError(
                f"{self.name}.{method}: expected {self.compute_dtype}, got {v.dtype.name}; "
                f"cast the input or make the layer with another dtype."
            )
        return v

    def _expected_shape(self, method: Method) -> EventShape:
        """Return the event shape of a value for `method`, or a list of them."""
        return self.encoded_shape(self.event_shape) if method == "decode" else self.event_shape

    def _latent_ndims(self) -> int:
        """Return the number of axes of one latent."""
        shape = self.encoded_shape(self.event_shape)
        return len(shape[0] if isinstance(shape, list) else shape)


def default_event_ndims(rank: int) -> int:
    """Return the number of event axes of an input of this rank; a single axis is the axis of the channels."""
    return min(max(rank - 1, 1), 3)


def _count_tensors(shape: EventShape) -> str:
    return f"a list of {counted(len(shape), 'tensor')}" if isinstance(shape, list) else "one tensor"
