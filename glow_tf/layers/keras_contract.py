"""Parts of Keras's contract of a layer that all layers here keep in the same way."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    LayerMixin = keras.layers.Layer
else:
    LayerMixin = object
"""Base class of the mixins here: a type checker reads them as the Keras layers that they become a part of."""


class TracedOutputs(LayerMixin):
    """Mixin of Keras layers and models that define `compute_output_shape`.

    Keras would infer the outputs of a symbolic call from that method alone; here it runs `call`, which checks the
    input.
    """

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic outputs of `call`."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)


class UncastWeights(LayerMixin):
    """Mixin of Keras layers whose weights keep their type where a model of Keras's mixed precision reads them.

    Keras casts the weights that are read in the `call` of such a model, unless they belong to a layer that it calls;
    but `encode` and `decode` of a flow layer are other methods than `call`.
    """

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Make a weight as `keras.layers.Layer.add_weight` does, which Keras does not cast."""
        return super().add_weight(*args, **{"autocast": False, **kwargs})


@contextlib.contextmanager
def in_training(layer: keras.layers.Layer, training: bool | None = True) -> Iterator[None]:
    """Let the layers that are called in the context act as in training: Keras has this for `Layer.__call__` alone.

    Dropout then drops values, and batch normalization takes the batch's statistics and updates its own.

    Args:
        layer: any layer.
        training: False lets them act as in inference, None as each does by default.
    """
    context = layer._get_call_context()
    before = context.get_value("training")
    context.set_value("training", training)
    try:
        yield
    finally:
        context.set_value("training", before)
        layer._maybe_reset_call_context()


def training_mode(layer: keras.layers.Layer) -> bool | None:
    """Return whether layers that are called now act as in training; None: as each does by default."""
    training = layer._get_call_context().get_value("training")
    layer._maybe_reset_call_context()
    return training


@contextlib.contextmanager
def default_floatx(dtype: str) -> Iterator[None]:
    """Set Keras's default float type within the context."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def require_full_precision(layer: keras.layers.Layer) -> None:
    """Raise a `ValueError` unless a layer computes in float32 or float64: a rounded flow is not inverted exactly."""
    if layer.compute_dtype not in ("float32", "float64"):
        raise ValueError(
            f"{type(layer).__name__} computes in float32 or float64, got dtype={layer.compute_dtype!r}. "
            "For mixed precision give the coupling network a policy of its own (network_dtype)."
        )


def require_one_tensor(x: Any, name: str) -> None:
    """Raise a `ValueError` if `x` has several tensors, as in the second flow layer of a `keras.Sequential`."""
    if isinstance(x, list | tuple) and any(tf.is_tensor(v) or isinstance(v, keras.KerasTensor) for v in x):
        raise ValueError(
            f"{name}: expected one tensor, got {len(x)}. A flow layer returns (z, log_det), which keras.Sequential "
            "cannot hand on; chain flow layers with FlowSequential, or unpack it: z, log_det = layer(x)."
        )
