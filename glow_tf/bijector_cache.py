"""The stand-in for TFP's cache of a bijector: it computes each network once, and never returns an old value.

Without a cache a bijector over a flow layer would be

    def _forward(self, x): return layer.decode(x)[0]
    def _inverse(self, y): return layer.encode(y)[0]
    def _inverse_log_det_jacobian(self, y): return layer.encode(y)[1]
    def _forward_log_det_jacobian(self, x): return layer.decode(x)[1]

which is correct, and runs every coupling network twice in a `log_prob`: `TransformedDistribution` calls

    x = bijector.inverse(y)
    log_det = bijector.inverse_log_det_jacobian(y)
    return base.log_prob(x) + log_det

TFP's own cache would avoid that by keeping values by their input, and would return old values after an update of the
weights, as it cannot see the variables of Keras.

**How.** Inside one graph `GraphCache` keeps the log-determinant that came with a value until it is asked for, and drops
it if an operation that may write a variable was added to the graph in between, or if a gradient tape has begun since,
on which the value is not recorded: its gradient would be zero. In eager code it keeps nothing.

**Cost.** Each network runs once in a traced `log_prob` and in `experimental_sample_and_log_prob`
(`tests/test_bijector_updates.py` counts the products in the graph), which halves their work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python import pywrap_tfe  # tf.recompute_grad asks the same of the tapes

from glow_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from glow_tf.bijector import LayerBijector


class _Pair(NamedTuple):
    """A pair `y = forward(x)` with its log-determinant, and the place in the graph where it was computed."""

    graph: tf.Graph
    tensors: tuple[Any, Any, Any]  # x, y and the condition, so that their ids stay theirs
    operations: int  # operations in the graph at that time
    ildj: Tensor


class GraphCache:
    """Answer TFP's calls of the cache of one bijector; the methods have TFP's names and arguments.

    Args:
        bijector: a `LayerBijector`.
    """

    def __init__(self, bijector: LayerBijector) -> None:
        self.bijector = bijector
        self.pairs: dict[tuple[Any, ...], _Pair] = {}

    def forward(self, x: Any, **kwargs: Any) -> Any:
        """Return the image `y` of the latents `x`."""
        condition = self.bijector.condition_of(kwargs)
        y, fldj = self.bijector.call_layer("decode", x, condition)
        self._remember(x, y, condition, -fldj)
        return y

    def inverse(self, y: Any, **kwargs: Any) -> Any:
        """Return the latents `x` of the image `y`."""
        condition = self.bijector.condition_of(kwargs)
        x, ildj = self.bijector.call_layer("encode", y, condition)
        self._remember(x, y, condition, ildj)
        return x

    def forward_attributes(self, x: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return TFP's attributes of `x`: a dictionary with the log-determinant of the inverse."""
        condition = self.bijector.condition_of(kwargs)
        ildj = self._recall("x", x, condition)
        return {"ildj": -self.bijector.call_layer("decode", x, condition)[1] if ildj is None else ildj}

    def inverse_attributes(self, y: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return TFP's attributes of `y`: a dictionary with the log-determinant of the inverse."""
        condition = self.bijector.condition_of(kwargs)
        ildj = self._recall("y", y, condition)
        return {"ildj": self.bijector.call_layer("encode", y, condition)[1] if ildj is None else ildj}

    def _remember(self, x: Any, y: Any, condition: TensorLike | None, ildj: Tensor) -> None:
        if not tf.executing_eagerly():
            graph = tf.compat.v1.get_default_graph()
            pair = _Pair(graph, (x, y, condition), len(graph.get_operations()), ildj)
            self.pairs = {("x", _ids(x), _key(condition)): pair, ("y", _ids(y), _key(condition)): pair}

    def _recall(self, side: Literal["x", "y"], value: Any, condition: TensorLike | None) -> Tensor | None:
        """Return the log-determinant that was computed with `value` in this graph, once, or None."""
        if tf.executing_eagerly():
            return None
        pair = self.pairs.get((side, _ids(value), _key(condition)))
        if pair is None:
            return None
        self.pairs = {}  # which would keep the graph alive
        if pair.graph is not tf.compat.v1.get_default_graph():
            return None
        if not _is_on_all_tapes(pair.ildj, value):
            return None
        return None if _may_have_written(pair.graph, pair.operations) else pair.ildj


def _may_have_written(graph: tf.Graph, operations: int) -> bool:
    """Return whether an operation after the first `operations` of the graph may write a variable, whichever it is."""
    return any(
        operation.type not in ("ReadVariableOp", "Identity") and any(i.dtype == tf.resource for i in operation.inputs)
        for operation in graph.get_operations()[operations:]
    )


def _is_on_all_tapes(result: Tensor, inputs: Any) -> bool:
    """Return whether every active tape has recorded a result; False where it cannot be told, with several tapes."""
    if pywrap_tfe.TFE_Py_TapeSetIsEmpty():
        return True
    types = pywrap_tfe.TFE_Py_TapeSetPossibleGradientTypes  # 0: no tape has it, 1: one, 2: several, or a persistent one
    return types([result]) == 1 == types([result, *tf.nest.flatten(inputs)])


def _ids(value: Any) -> tuple[int, ...]:
    return tuple(id(v) for v in tf.nest.flatten(value))


def _key(condition: TensorLike | None) -> Any:
    """Return a key by which equal conditions are recognized: a tensor by its identity, numbers by their values."""
    if condition is None or tf.is_tensor(condition) or isinstance(condition, tf.Variable):
        return id(condition)
    array = np.asarray(condition)
    return (array.shape, array.dtype.str, array.tobytes()) if array.dtype != object else id(condition)
