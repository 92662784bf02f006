"""Adapt a flow layer to `tfb.Bijector`. All use of TFP's internals is confined to this module.

In TFP's convention, which holds in this file, `x` is the latent and `y = forward(x)` the image.

**The plain code.** Without a cache the bijector would be

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

**How.** `_GraphPairs` replaces TFP's cache. Inside one graph it keeps the log-determinant that came with a value
until it is asked for, and drops it if an operation that may write a weight was added to the graph in between. In eager
code it keeps nothing. The bijector also keeps the layer's weights as plain variables, where TFP and `tf.Module` look.

**Cost.** Each network runs once in a traced `log_prob` and in `experimental_sample_and_log_prob`
(`tests/test_bijector_updates.py` counts the products in the graph), which halves their work.
"""

from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class _Pair(NamedTuple):
    """A pair `y = forward(x)` with its log-determinant, and the place in the graph where it was computed."""

    graph: tf.Graph
    tensors: tuple  # x and y, so that their ids stay theirs
    operations: int  # operations in the graph at that time
    ildj: Any


class _GraphPairs:
    """Stand-in for TFP's cache of a bijector (see above); its methods have TFP's names and arguments."""

    def __init__(self, bijector):
        self.bijector = bijector
        self.pairs = {}

    def forward(self, x, **kwargs):
        _refuse(kwargs)
        y, fldj = self.bijector._call_layer("decode", x)
        self._remember(x, y, -fldj)
        return y

    def inverse(self, y, **kwargs):
        _refuse(kwargs)
        x, ildj = self.bijector._call_layer("encode", y)
        self._remember(x, y, ildj)
        return x

    def forward_attributes(self, x, **kwargs):
        """Return TFP's attributes of `x`: a dictionary with the log-determinant of the inverse."""
        _refuse(kwargs)
        ildj = self._recall("x", x)
        return {"ildj": -self.bijector._call_layer("decode", x)[1] if ildj is None else ildj}

    def inverse_attributes(self, y, **kwargs):
        """Return TFP's attributes of `y`: a dictionary with the log-determinant of the inverse."""
        _refuse(kwargs)
        ildj = self._recall("y", y)
        return {"ildj": self.bijector._call_layer("encode", y)[1] if ildj is None else ildj}

    def _remember(self, x, y, ildj):
        if not tf.executing_eagerly():
            graph = tf.compat.v1.get_default_graph()
            pair = _Pair(graph, (x, y), len(graph.get_operations()), ildj)
            self.pairs = {("x", _ids(x)): pair, ("y", _ids(y)): pair}

    def _recall(self, side, value):
        """Return the log-determinant that was computed with `value` in this graph, once, or None."""
        if tf.executing_eagerly():
            return None
        pair = self.pairs.pop((side, _ids(value)), None)
        if pair is None or pair.graph is not tf.compat.v1.get_default_graph():
            return None
        return None if self._may_have_written(pair.graph, pair.operations) else pair.ildj

    def _may_have_written(self, graph, operations):
        """Return whether an operation after the first `operations` of the graph may write a weight of the layer."""
        handles = set()
        for variable in getattr(self.bijector, "_weights", ()):
            for v in getattr(variable, "values", (variable,)):  # a distributed variable has one per replica
                handle = v.handle
                if isinstance(graph, tf.__internal__.FuncGraph):
                    handle = graph.capture(handle)
                handles.add(id(handle))
        return any(
            operation.type not in ("ReadVariableOp", "Identity") and any(id(i) in handles for i in operation.inputs)
            for operation in graph.get_operations()[operations:]
        )


def _refuse(keywords):
    """Raise a `TypeError` for keywords, by which TFP hands on labels; here they would be ignored."""
    if keywords:
        raise TypeError(
            f"expected no keyword arguments, got {', '.join(keywords)}; the labels of this bijector are fixed: give "
            "them to `as_bijector(labels=...)`."
        )


def _ids(value):
    return tuple(id(v) for v in tf.nest.flatten(value))


class LayerBijector(tfb.Bijector):
    """A `tfb.Bijector` over a flow layer's own weights: forward = `decode`, latent -> image.

    `layer.as_bijector` makes it. Its variables are the layer's; it has no weights of its own.

    Args:
        layer: a `FlowLayer`.
        condition: labels that broadcast against the leading dimensions, or None.
        name: name of the bijector.
    """

    def __init__(self, layer, condition=None, name="flow"):
        parameters = {"layer": layer, "condition": condition, "name": name}
        ndims = layer.event_ndims
        # Only the number of axes is read off; a layer that is not built has no channels yet, and 4 can be halved.
        shape = layer.encoded_shape(layer.event_shape or (None,) * (ndims - 1) + (4,))
        super().__init__(
            forward_min_event_ndims=[len(s) for s in shape] if isinstance(shape, list) else len(shape),
            inverse_min_event_ndims=ndims,
            dtype=tf.as_dtype(layer.compute_dtype),
            parameters=parameters,
            name=name,
        )
        self._layer = layer
        self._condition = condition
        self._own_cache = self._no_dependency(_GraphPairs(self))
        self._track_weights()

    @property
    def _cache(self):
        return self._own_cache

    def _track_weights(self):
        """Keep the layer's weights where tf.Module finds them: as plain variables in `__dict__`."""
        if self._layer.built and not hasattr(self, "_weights"):
            self._weights = tuple(v.value for v in self._layer.weights)

    def _call_layer(self, method, value):
        result = getattr(self._layer, method)(value, self._condition)
        self._track_weights()
        return result

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    def _is_list(self):
        return isinstance(self.forward_min_event_ndims, (list, tuple))

    def _forward_dtype(self, dtype, **kwargs):
        return self.dtype

    def _inverse_dtype(self, dtype, **kwargs):
        return [self.dtype] * len(self.forward_min_event_ndims) if self._is_list() else self.dtype

    def _forward_event_shape(self, shape):
        shape = [tuple(s) for s in shape] if self._is_list() else tuple(shape)
        return tf.TensorShape(self._layer.decoded_shape(shape))

    def _inverse_event_shape(self, shape):
        shape = self._layer.encoded_shape(tuple(shape))
        return [tf.TensorShape(s) for s in shape] if self._is_list() else tf.TensorShape(shape)

    def _forward_event_shape_tensor(self, shape):
        shape = [_static(s) for s in shape] if self._is_list() else _static(shape)
        return tf.constant(self._layer.decoded_shape(shape), tf.int32)

    def _inverse_event_shape_tensor(self, shape):
        shape = self._layer.encoded_shape(_static(shape))
        return [tf.constant(s, tf.int32) for s in shape] if self._is_list() else tf.constant(shape, tf.int32)


def _static(shape):
    """Return the sizes of an event shape as ints; a flow's event shapes are known when it is built."""
    return tuple(int(s) for s in tf.get_static_value(shape))
