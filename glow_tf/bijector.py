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
        return self._run("decode", "fldj", x)

    def inverse(self, y, **kwargs):
        return self._run("encode", "ildj", y)

    def forward_attributes(self, x, **kwargs):
        return self._log_det("decode", "fldj", x)

    def inverse_attributes(self, y, **kwargs):
        return self._log_det("encode", "ildj", y)

    def _run(self, method, key, value):
        result, log_det = self.bijector._call_layer(method, value)
        if not tf.executing_eagerly():
            graph = tf.compat.v1.get_default_graph()
            self.log_dets = {
                (key, _identity(value)): (graph, value, len(graph.get_operations()), log_det),
                (_opposite[key], _identity(result)): (graph, result, len(graph.get_operations()), -log_det),
            }
        return result

    def _log_det(self, method, key, value):
        """TFP's attributes of a value: a dictionary that holds the log-determinant under `key`."""
        if not tf.executing_eagerly():
            graph, _, since, log_det = self.log_dets.pop((key, _identity(value)), (None, None, 0, None))
            if graph is tf.compat.v1.get_default_graph() and not self._written(graph, since):
                return {key: log_det}
        return {key: self.bijector._call_layer(method, value)[1]}

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


_opposite = {"fldj": "ildj", "ildj": "fldj"}


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
            forward_min_event_ndims=[ndims] * len(shape) if isinstance(shape, list) else ndims,
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
        shape = [tf.unstack(s) for s in shape] if self._is_list() else tf.unstack(shape)
        return tf.stack(self._layer.image_shape(shape))

    def _inverse_event_shape_tensor(self, shape):
        shape = self._layer.latent_shape(tf.unstack(shape))
        return [tf.stack(s) for s in shape] if self._is_list() else tf.stack(shape)
