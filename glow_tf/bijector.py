"""The TFP face of a flow layer, and the one place that knows TFP's inner workings.

TFP finds variables by walking an object's attributes for `tf.Variable`s, which Keras 3 hides, and caches
the results of bijectors by their input, which goes stale when weights change. `LayerBijector` hands TFP the
variables, and shares a value with its log-determinant inside one graph only, as long as no weight is written.
"""

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class _GraphPairs:
    """In place of TFP's cache: never keeps a value, so that nothing outlives an update of the weights.

    The one thing it remembers, in a graph, is the log-determinant that came with a value: TFP asks for the
    two separately, and the coupling networks should run once. It is given out once, and not at all if any
    operation that could write a weight has been added to the graph in between.
    """

    def __init__(self, bijector):
        self.bijector = bijector
        self.log_dets = {}

    def forward(self, x, **kwargs):
        y, fldj = self.bijector._call_layer("decode", x)
        self._remember(x, y, -fldj)
        return y

    def inverse(self, y, **kwargs):
        x, ildj = self.bijector._call_layer("encode", y)
        self._remember(x, y, ildj)
        return x

    def forward_attributes(self, x, **kwargs):
        """TFP's attributes of a value: a dictionary with the log-determinant of the inverse."""
        ildj = self._recall("x", x)
        return {"ildj": -self.bijector._call_layer("decode", x)[1] if ildj is None else ildj}

    def inverse_attributes(self, y, **kwargs):
        ildj = self._recall("y", y)
        return {"ildj": self.bijector._call_layer("encode", y)[1] if ildj is None else ildj}

    def _remember(self, x, y, ildj):
        if not tf.executing_eagerly():
            graph = tf.compat.v1.get_default_graph()
            entry = (graph, (x, y), len(graph.get_operations()), ildj)
            self.log_dets = {("x", _identity(x)): entry, ("y", _identity(y)): entry}

    def _recall(self, side, value):
        if tf.executing_eagerly():
            return None
        graph, _, since, ildj = self.log_dets.pop((side, _identity(value)), (None, None, 0, None))
        return ildj if graph is tf.compat.v1.get_default_graph() and not self._written(graph, since) else None

    def _written(self, graph, since):
        """Whether an operation added after the first `since` may write a weight of the layer."""
        handles = set()
        for variable in getattr(self.bijector, "_weights", ()):
            for v in getattr(variable, "values", (variable,)):  # a distributed variable has one per replica
                handle = v.handle
                if isinstance(graph, tf.__internal__.FuncGraph):
                    handle = graph.capture(handle)
                handles.add(id(handle))
        return any(
            operation.type not in ("ReadVariableOp", "Identity") and any(id(i) in handles for i in operation.inputs)
            for operation in graph.get_operations()[since:]
        )


def _identity(value):
    return tuple(id(v) for v in tf.nest.flatten(value))


class LayerBijector(tfb.Bijector):
    """A `tfb.Bijector` over a flow layer's own weights: forward = `decode`, latent -> image.

    Made by `layer.as_bijector`. Its variables are the layer's; it holds no weights itself.
    """

    def __init__(self, layer, condition=None, name="flow"):
        parameters = {"layer": layer, "condition": condition, "name": name}
        ndims = layer.event_ndims
        shape = layer.latent_shape(layer.event_shape or (None,) * (ndims - 1) + (4,))
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
        """Keeps the layer's weights where tf.Module finds them: as plain variables in our `__dict__`."""
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
        return tf.TensorShape(self._layer.image_shape(shape))

    def _inverse_event_shape(self, shape):
        shape = self._layer.latent_shape(tuple(shape))
        return [tf.TensorShape(s) for s in shape] if self._is_list() else tf.TensorShape(shape)

    def _forward_event_shape_tensor(self, shape):
        shape = [_static(s) for s in shape] if self._is_list() else _static(shape)
        return tf.constant(self._layer.image_shape(shape), tf.int32)

    def _inverse_event_shape_tensor(self, shape):
        shape = self._layer.latent_shape(_static(shape))
        return [tf.constant(s, tf.int32) for s in shape] if self._is_list() else tf.constant(shape, tf.int32)


def _static(shape):
    """The sizes of an event shape as a tuple of ints; a flow's event shapes are known when it is built."""
    return tuple(int(s) for s in tf.get_static_value(shape))
