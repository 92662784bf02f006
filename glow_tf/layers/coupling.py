"""Coupling layers, affine and additive (paper, section 3.3)."""

from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf

from glow_tf.arguments import check_count
from glow_tf.counts import counted
from glow_tf.layers.dense_network import DenseNetwork
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.network import CouplingNetwork
from glow_tf.layers.own_networks import NetworkMaker, make_network, registered_name
from glow_tf.layers.tensors import reshape_like, static_size, sum_per_example
from glow_tf.types import Config, ShapeLike, Tensor

DEFAULT_NETWORK_OPTIONS = {"width": 512, "network_dtype": None, "seed": None}
"""Options of the default network, and their defaults."""


@keras.saving.register_keras_serializable("glow_tf")
class Coupling(FlowLayer):
    """Change one half of the channels by a function of the other half.

    With `z1, z2 = split(x)` and `shift`, `h` the even and the odd channels of `network(z1)`:

    | kind, scale | function | reverse function | log-determinant |
    |---|---|---|---|
    | additive | `z2 + network(z1)` | `z2 - network(z1)` | 0 |
    | affine, sigmoid | `(z2 + shift) * sigmoid(h + 2)` | `z2 / sigmoid(h + 2) - shift` | `sum(log sigmoid(h + 2))` |
    | affine, exp | `z2 * exp(h) + shift` | `(z2 - shift) * exp(-h)` | `sum(h)` |

    | | |
    |---|---|
    | shapes | `[B, ..., C] -> [B, ..., C]`, C even; `z1` comes first and is passed on |
    | start | with the default network: additive and exp are the identity, sigmoid scales by `sigmoid(2) = 0.88` |

    The half that is passed on is always the first. Couplings in a row would never change it: put a layer between them
    that moves channels, such as `Reverse`, `Shuffle` or `InvertibleConv1x1`.

    Args:
        kind: `"affine"` or `"additive"`.
        scale: `"sigmoid"` (the original code, and its published results) or `"exp"` (the paper's Table 1).
        network: a Keras layer or model `[B, ..., C / 2] -> [B, ..., C]` (additive: `C / 2`), by default a
            `CouplingNetwork` for images and a `DenseNetwork` for vectors. If it has a method `initialize(z1)`,
            data-dependent initialization calls this method. A plain function also works: the layer does not track the
            weights that it uses, and it must be registered (`keras.saving.register_keras_serializable`) to save the
            layer. Keras cannot load a `.keras` file of a model in which several couplings have one network; make such a
            model anew and call its `load_weights`, which takes the file.
        width: hidden channels of the default network, as the next two an error beside a network of your own.
        network_dtype: dtype inside the default network for images in mixed precision; None: the layer's dtype.
        seed: seed of the default network's weights.
        **kwargs: options of `FlowLayer`: `event_ndims`, `dtype`, `name`.

    Raises:
        ValueError: an option is unknown or has no effect, the number of channels is odd, or the network returns a wrong
            number of channels.
        TypeError: the network is neither a Keras layer nor a function, or does not return one tensor.

    Source: Table 1 and section 3.3 of https://arxiv.org/abs/1807.03039.

    Example:
        >>> from glow_tf.layers import FlowSequential, Reverse
        >>> ones = tf.ones([1, 2])
        >>> (FlowSequential([Coupling(width=4), Coupling(width=4)]).encode(ones)[0] == 1).numpy()
        array([[ True, False]])
        >>> (FlowSequential([Coupling(width=4), Reverse(), Coupling(width=4)]).encode(ones)[0] == 1).numpy()
        array([[False, False]])
    """

    def __init__(
        self,
        kind: str = "affine",
        *,
        scale: str = "sigmoid",
        network: keras.layers.Layer | Callable[[Tensor], Tensor] | None = None,
        width: int = 512,
        network_dtype: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in ("affine", "additive"):
            raise ValueError(f"Coupling: expected kind 'affine' or 'additive', got {kind!r}.")
        if scale not in ("sigmoid", "exp"):
            raise ValueError(f"Coupling: expected scale 'sigmoid' or 'exp', got {scale!r}.")
        check_count(width, f"{self.name}: width", minimum=1)
        is_function = callable(network) and not isinstance(network, type | tf.Module)
        if not (network is None or isinstance(network, keras.layers.Layer) or is_function):
            raise TypeError(
                f"{self.name}: expected as network a Keras layer or a function, got {_describe_network(network)}."
            )
        if network is not None:
            refuse_default_network_options(self.name, width=width, network_dtype=network_dtype, seed=seed)
        self.kind, self.scale = kind, scale
        self.network: Any = network  # a layer or a function from the first build on
        self.width, self.network_dtype, self.seed = width, network_dtype, seed
        self._own_network = network is None
        self.network_maker: NetworkMaker | None = None  # of the flow around it, in place of the default network

    def build(self, input_shape: ShapeLike) -> None:
        """Make the default network unless one was given, and build it."""
        super().build(input_shape)
        if self.channels % 2:
            raise ValueError(f"{self.name}: expected an even number of channels to halve, got {self.channels}.")
        half = self.channels // 2
        filters = self.channels if self.kind == "affine" else half
        if self.network is None and self.network_maker is not None:
            self.network, self._own_network = make_network(self.network_maker, filters, self.name), False
        if self.network is None:
            self.network = self._default_network(half, filters)
        if isinstance(self.network, keras.layers.Layer):
            defines_build = type(self.network).build is not keras.layers.Layer.build
            if not self.network.built and defines_build:  # others: see `MadeParts`
                self.network.build((None, *self.event_shape[:-1], half))
            inputs = _input_channels(self.network)
            if inputs not in (None, half):
                raise ValueError(
                    f"{self.name}: half of the {self.channels} channels goes into the network, {half}, but it was "
                    f"built for {inputs}."
                )

    def _default_network(self, inputs: int, filters: int) -> keras.layers.Layer:
        if self.event_ndims == 3:
            return CouplingNetwork(
                filters,
                width=self.width,
                network_dtype=self.network_dtype,
                seed=self.seed,
                dtype=self.compute_dtype,
                name="network",
            )
        if self.event_ndims != 1:
            raise ValueError(
                f"{self.name}: the default networks are for images [..., H, W, C] and vectors [..., C], the event "
                f"shape is {self.event_shape}; give a network of your own with {counted(inputs, 'input')} and "
                f"{counted(filters, 'output')}."
            )
        if self.network_dtype is not None:
            raise ValueError(f"{self.name}: network_dtype is for images; leave it out for vectors.")
        return DenseNetwork(filters, width=self.width, seed=self.seed, dtype=self.compute_dtype, name="network")

    def _transform(self, z1: Tensor, run: Callable[[Tensor], Any]) -> tuple[Tensor, Any, Any]:
        """Return `(shift, log_scale, scale)` from the network's output; the last two are None if additive."""
        h = run(z1)
        if isinstance(h, list | tuple | dict):
            raise TypeError(
                f"{self.name}: expected one tensor from the network, its even channels the shift and its odd ones the "
                f"scale (tf.stack([shift, scale], -1), reshaped), got a {type(h).__name__} of {len(h)}."
            )
        h = tf.cast(h, z1.dtype)
        expected = static_size(z1) * (2 if self.kind == "affine" else 1)
        # A network that pools would give one value per example, which broadcasts with the positions of others.
        if h.shape[-1] != expected or not h.shape[:-1].is_compatible_with(z1.shape[:-1]):
            raise ValueError(
                f"{self.name}: the network must give {counted(expected, 'channel')} ({self.kind}) at each position of "
                f"its input {z1.shape}, it gave {h.shape}."
            )
        if self.kind == "additive":
            return h, None, None
        shift, h = tf.unstack(reshape_like(z1, h, static_size(z1), 2), axis=-1)
        if self.scale == "sigmoid":
            return shift, tf.math.log_sigmoid(h + 2.0), tf.sigmoid(h + 2.0)
        return shift, h, tf.exp(h)

    def _forward(self, x: Tensor, run: Callable[[Tensor], Any]) -> tuple[Tensor, Tensor]:
        z1, z2 = tf.split(x, 2, axis=-1)
        shift, log_scale, scale = self._transform(z1, run)
        if self.kind == "additive":
            z2, log_det = z2 + shift, tf.zeros(tf.shape(x)[:1], x.dtype)
        else:
            z2 = (z2 + shift) * scale if self.scale == "sigmoid" else z2 * scale + shift
            log_det = sum_per_example(log_scale)
        return tf.concat([z1, z2], axis=-1), log_det

    def _encode(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._forward(x, self.network)

    def _decode(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z1, z2 = tf.split(z, 2, axis=-1)
        shift, log_scale, scale = self._transform(z1, self.network)
        if self.kind == "additive":
            z2, log_det = z2 - shift, tf.zeros(tf.shape(z)[:1], z.dtype)
        else:
            z2 = z2 / scale - shift if self.scale == "sigmoid" else (z2 - shift) / scale
            log_det = -sum_per_example(log_scale)
        return tf.concat([z1, z2], axis=-1), log_det

    def _initialize(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._forward(x, getattr(self.network, "initialize", self.network))[0]

    def get_config(self) -> Config:
        """Return the options, and the network unless it is the default one.

        Raises:
            ConfigError: the network is a function that is not registered with Keras.
        """
        config = {key: getattr(self, key) for key in ("kind", "scale", "width", "network_dtype", "seed")}
        network = None if self._own_network else self._serialized_network()
        return {**super().get_config(), **config, "network": network}

    def _serialized_network(self) -> Any:
        if not isinstance(self.network, keras.layers.Layer):
            registered_name(self.network, self.name, ", or give a Keras layer")
        return keras.saving.serialize_keras_object(self.network)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the layer from what `get_config` returned."""
        config = dict(config)  # the caller's stays as it is
        network = config.pop("network", None)
        if network is None:
            return cls(**config)
        for name in DEFAULT_NETWORK_OPTIONS:  # had no effect, in files of commits that did not refuse them
            config.pop(name, None)
        return cls(network=keras.saving.deserialize_keras_object(network), **config)


def refuse_default_network_options(name: str, **options: Any) -> None:
    """Raise a `ValueError` for options of the default network beside a network of one's own."""
    given = [key for key, value in options.items() if value != DEFAULT_NETWORK_OPTIONS[key]]
    if given:
        raise ValueError(
            f"{name}: {' and '.join(given)} would have no effect on a network of your own; set this in the network."
        )


def _input_channels(network: keras.layers.Layer) -> int | None:
    """Return the number of channels for which a network was built, or None where Keras does not know it."""
    shape = (network.get_build_config() or {}).get("input_shape") or getattr(network, "input_shape", None)
    is_one_shape = isinstance(shape, list | tuple) and not any(isinstance(size, list | tuple) for size in shape)
    return shape[-1] if shape and is_one_shape else None


def _describe_network(network: object) -> str:
    if isinstance(network, type):
        return f"the class {network.__name__}; make one"
    if isinstance(network, tf.Module):
        return f"the tf.Module {type(network).__name__}, whose weights Keras does not see; wrap it in a Keras layer"
    return f"{network!r}"
