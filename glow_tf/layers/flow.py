"""The contract of a flow layer, and `Serial`, the chain of layers.

A flow layer is an invertible map with a known log-determinant. Its author writes two methods:

| | returns |
|---|---|
| `_encode(x, condition)` | `(z, log_det)`: the paper's "function" (Table 1), image -> latent |
| `_decode(z, condition)` | `(x, log_det)`: the paper's "reverse function", latent -> image |

and, where weights are set from data, `_initialize(x, condition) -> z`. `log_det` has shape `[B]` and is
the log-determinant of that very direction, so the two are negatives of each other. The base class turns
these into the public `encode`, `decode`, `initialize` and `as_bijector`, which build the layer on first
use, check their input and accept any number of leading batch dimensions.
"""

import keras
import tensorflow as tf

package = "glow_tf"


def value_map(function, value):
    """Applies `function` to a tensor, or to each tensor of a list of latents."""
    if isinstance(value, (list, tuple)):
        return [function(v) for v in value]
    return function(value)


def first(value):
    """The tensor itself, or the first of a list of latents."""
    return value[0] if isinstance(value, (list, tuple)) else value


def _shape(v):
    return tuple(v.shape)


def _describe(shape):
    return f"a list of {len(shape)} tensors" if isinstance(shape, list) else "one tensor"


def spatial_size(x):
    """The number of spatial positions of `x` `[B, ..., C]` as a scalar of its dtype (1 for a vector)."""
    if x.shape[1:-1].is_fully_defined():
        return tf.constant(x.shape[1:-1].num_elements(), x.dtype)
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), x.dtype)


def per_example(log_det, x):
    """Broadcasts a log-determinant that is the same for every example to shape `[B]`."""
    return tf.broadcast_to(log_det, tf.shape(x)[:1])


def sum_per_example(x):
    """Sums all but the first axis: `[B, ...] -> [B]`."""
    return tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))


def at_positions_of(x, value, *channels):
    """Reshapes `value` to the leading axes of `x` and these last ones; sizes that are known stay known."""
    sizes = [*x.shape[:-1], *channels]
    if sizes.count(None) > 1:
        return tf.reshape(value, tf.concat([tf.shape(x)[:-1], channels], 0))
    return tf.reshape(value, [-1 if size is None else size for size in sizes])


@keras.saving.register_keras_serializable(package)
class FlowLayer(keras.layers.Layer):
    """Base of all flow layers.

    Args:
        event_ndims: the number of axes of one example. By default it is settled at the first build:
            3 for inputs of four axes or more (`[..., H, W, C]`), else all but the first axis
            (`[B, C]` gives 1).
        dtype: `"float32"` (the default, whatever Keras's global policy) or `"float64"`. A flow in
            half precision would not be invertible; see `CouplingNetwork` for mixed precision.

    A value is a tensor `[..., *event]`, or a list of them where a layer splits its input.
    """

    def __init__(self, *, event_ndims=None, dtype=None, **kwargs):
        super().__init__(dtype=dtype or "float32", autocast=False, **kwargs)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(
                f"{type(self).__name__} computes in float32 or float64, got dtype={self.compute_dtype!r}. "
                "For mixed precision give the coupling network a policy of its own (network_dtype)."
            )
        self.event_ndims = event_ndims
        self.event_shape = None

    # What an author writes.

    def _encode(self, x, condition):
        raise NotImplementedError(f"{type(self).__name__} has no _encode(x, condition) -> (z, log_det).")

    def _decode(self, z, condition):
        raise NotImplementedError(f"{type(self).__name__} has no _decode(z, condition) -> (x, log_det).")

    def _initialize(self, x, condition):
        return self._encode(x, condition)[0]

    def latent_shape(self, event_shape):
        """The event shape of `z` for an event shape of `x`; a list of shapes where `z` is a list."""
        return event_shape

    def image_shape(self, latent_shape):
        """The event shape of `x` for the event shape (or list of them) of `z`."""
        return latent_shape

    # What everyone calls.

    def encode(self, x, condition=None):
        """Image -> latent.

        Args:
            x: `[..., *event]` in the layer's dtype.
            condition: labels, int `[...]` like the leading dimensions, or None.

        Returns:
            `z` and `log_det` `[...]`, the log-determinant of dz/dx in nats.
        """
        return self._apply(self._encode, x, condition, "encode")

    def decode(self, z, condition=None):
        """Latent -> image: the inverse of `encode`, with the log-determinant of dx/dz `[...]`."""
        return self._apply(self._decode, z, condition, "decode")

    def initialize(self, x, condition=None):
        """Sets data-dependent weights (actnorm) from the batch `x` and returns `z`.

        Call it once, eagerly, on a fresh layer: it leaves no flag behind (paper, section 3.1).
        """
        return self._initialize(self._checked(x, "initialize"), condition)

    def call(self, x, condition=None):
        """The Keras face: the same as `encode`."""
        return self.encode(x, condition)

    def as_bijector(self, event_shape=None, condition=None, name=None):
        """A `tfb.Bijector` over this layer's own weights: forward = `decode`, latent -> image (TFP's convention).

        Args:
            event_shape: the shape of one image (or vector), which builds the layer. Without it an
                unbuilt layer builds at the first call, for images.
            condition: labels that broadcast against the leading dimensions, or None.
            name: name of the bijector.
        """
        from glow_tf.bijector import LayerBijector  # here, because TFP takes a second to import

        if event_shape is not None:
            event_shape = tuple(event_shape)
            if self.event_ndims is None:
                self.event_ndims = len(event_shape)
            if not self.built:
                self.build((None, *event_shape))
        elif self.event_ndims is None:
            self.event_ndims = 3
        return LayerBijector(self, condition=condition, name=name or self.name)

    # What the base does once.

    def build(self, input_shape):
        self._settle(input_shape)

    def _settle(self, input_shape):
        """Every `build` begins with it: fixes the event axes and returns the number of channels."""
        if self.event_ndims is None:
            self.event_ndims = min(len(input_shape) - 1, 3)
        self.event_shape = tuple(input_shape[-self.event_ndims :])
        if self.event_shape[-1] is None:
            raise ValueError(f"{self.name}: the number of channels must be known, got {tuple(input_shape)}.")
        return self.event_shape[-1]

    def _apply(self, function, value, condition, method):
        value = self._checked(value, method)
        probe = first(value)
        ndims = self._latent_ndims() if method == "decode" else self.event_ndims
        lead, static_lead = tf.shape(probe)[:-ndims], probe.shape[:-ndims]
        if condition is not None:
            condition = tf.reshape(tf.broadcast_to(condition, lead), [-1])
        if probe.shape.rank == ndims + 1:
            return function(value, condition)

        def flatten(v):
            return tf.reshape(v, tf.concat([[-1], tf.shape(v)[-ndims:]], 0))

        def unflatten(v):
            result = tf.reshape(v, tf.concat([lead, tf.shape(v)[1:]], 0))
            return tf.ensure_shape(result, static_lead.concatenate(v.shape[1:]))

        result, log_det = function(value_map(flatten, value), condition)
        return value_map(unflatten, result), unflatten(log_det)

    def _checked(self, value, method):
        """The value as tensors of the right dtype, rank and channels, or a clear error; builds on first use."""
        value = value_map(lambda v: self._with_dtype(v, method), value)
        if not self.built:
            shape = value_map(lambda v: tuple(v.shape[-self._ndims_of(v) :]), value)
            self.build((None, *(self.image_shape(shape) if method == "decode" else shape)))
        expected = self.latent_shape(self.event_shape) if method == "decode" else self.event_shape
        is_list = isinstance(value, list)
        if is_list != isinstance(expected, list) or (is_list and len(value) != len(expected)):
            raise ValueError(
                f"{self.name}.{method}: expected {_describe(expected)}, got {_describe(value_map(_shape, value))}."
            )
        for v, e in zip(value if is_list else [value], expected if is_list else [expected], strict=True):
            if v.shape.rank is None or v.shape.rank < len(e) or v.shape[-1] != e[-1]:
                raise ValueError(
                    f"{self.name}.{method}: expected shape [..., {', '.join(map(str, e))}] "
                    f"({len(e)} event axes, {e[-1]} channels), got {_shape(v)}."
                )
        return value

    def _with_dtype(self, v, method):
        v = tf.convert_to_tensor(v, None if hasattr(v, "dtype") else self.compute_dtype)
        if v.dtype.name != self.compute_dtype:
            raise TypeError(
                f"{self.name}.{method}: expected {self.compute_dtype}, got {v.dtype.name}; "
                f"cast the input or make the layer with another dtype."
            )
        return v

    def _latent_ndims(self):
        """The number of axes of one latent."""
        shape = self.latent_shape(self.event_shape)
        return len(shape[0] if isinstance(shape, list) else shape)

    def _ndims_of(self, v):
        return min(v.shape.rank - 1, 3) if self.event_ndims is None else self.event_ndims

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        config.update(dtype=self.compute_dtype, event_ndims=self.event_ndims)
        return config


@keras.saving.register_keras_serializable(package)
class Serial(FlowLayer):
    """The chain of layers: `encode` runs them first to last, `decode` last to first.

    Log-determinants add up; the condition is handed to every layer unread.
    """

    def __init__(self, layers, **kwargs):
        dtype = kwargs.pop("dtype", None) or (layers[0].compute_dtype if layers else None)
        super().__init__(dtype=dtype, **kwargs)
        layers = list(layers)
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
    def layers(self):
        return [getattr(self, f"layer_{i}") for i in range(self.depth)]

    def build(self, input_shape):
        self._settle(input_shape)
        shape = self.event_shape
        for layer in self.layers:
            if not layer.built:
                layer.build((None, *shape))
            shape = layer.latent_shape(shape)

    def _encode(self, x, condition):
        total = tf.zeros(tf.shape(first(x))[:1], self.compute_dtype)
        for layer in self.layers:
            x, log_det = layer.encode(x, condition)
            total += log_det
        return x, total

    def _decode(self, z, condition):
        total = tf.zeros(tf.shape(first(z))[:1], self.compute_dtype)
        for layer in reversed(self.layers):
            z, log_det = layer.decode(z, condition)
            total += log_det
        return z, total

    def _initialize(self, x, condition):
        for layer in self.layers:
            x = layer.initialize(x, condition)
        return x

    def latent_shape(self, event_shape):
        for layer in self.layers:
            event_shape = layer.latent_shape(event_shape)
        return event_shape

    def image_shape(self, latent_shape):
        for layer in reversed(self.layers):
            latent_shape = layer.image_shape(latent_shape)
        return latent_shape

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        config = dict(config)  # the caller's stays as it is
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config.pop("layers")]
        return cls(layers=layers, **config)
