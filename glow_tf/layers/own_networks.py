"""Coupling networks of one's own in a whole flow: the function that makes them, and its name in files.

A flow has many couplings, so it takes a function `network(filters)`, which it calls once for each of them. A file names
the function as Keras registered it.

Steps with such networks share one trace (`shared_steps.py`) only if that cannot change a number: the networks have no
state, which a shared trace could not update, and they are equal but for their weights. What a network computes must
follow from its configuration and its weights, as Keras's files require too.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

import keras

from glow_tf.errors import ConfigError
from glow_tf.layers.keras_contract import LayerMixin
from glow_tf.types import Config

NetworkMaker: TypeAlias = Callable[[int], keras.layers.Layer]
"""A function of the number of output channels that makes the network of one coupling."""


class NamedNetworks(LayerMixin):
    """Mixin of flow layers whose option `network` is a `NetworkMaker`, or None for the default networks.

    `network_name` goes into the configuration, from which `from_config` finds the function again.
    """

    network: NetworkMaker | None

    @property
    def network_name(self) -> str | None:
        """The name under which Keras registered the function, or None for the default networks."""
        return None if self.network is None else registered_name(self.network, self.name)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the layer from what `get_config` returned.

        Raises:
            ConfigError: the function that makes the coupling networks is not registered.
        """
        name = config.get("network")
        network = name if name is None else keras.saving.get_registered_object(name)
        if name is not None and network is None:
            raise ConfigError(
                f"{config.get('name', cls.__name__)}: its coupling networks are made by the function {name!r}, which "
                "Keras does not know; first import the module that registers it, or give it in custom_objects."
            )
        return cls(**{**config, "network": network})


def check_network_maker(network: object, name: str) -> None:
    """Raise a `TypeError` unless `network` can be a `NetworkMaker` or is None."""
    expected = f"{name}: expected as network a function network(filters) that makes a Keras layer"
    if isinstance(network, keras.layers.Layer):
        raise TypeError(f"{expected}, as each coupling needs one of its own, got the layer {network.name}.")
    if not (network is None or callable(network)):
        raise TypeError(f"{expected}, got {network!r}.")


def make_network(maker: NetworkMaker, filters: int, name: str) -> keras.layers.Layer:
    """Return the network of a coupling; raise a `TypeError` if the function does not return a Keras layer."""
    network = maker(filters)
    if not isinstance(network, keras.layers.Layer):
        raise TypeError(f"{name}: expected network({filters}) to return a Keras layer, got {network!r}.")
    return network


def registered_name(function: Any, name: str, remedy: str = "") -> str:
    """Return the name of a function in files; raise a `ConfigError` if it is not registered with Keras."""
    registered = keras.saving.get_registered_name(function) if hasattr(function, "__name__") else ""
    if not registered or keras.saving.get_registered_object(registered) is not function:
        raise ConfigError(
            f"{name}: its network is a function, which a file can name only if it is registered: decorate "
            f"it with keras.saving.register_keras_serializable(){remedy}."
        )
    return registered


def reason_not_to_share(networks: Sequence[keras.layers.Layer]) -> str:
    """Return why one network cannot stand for all, with the weights of each in turn, or "" if it can."""
    if any(_has_state(network) for network in networks):
        return "have state, such as the moving averages of BatchNormalization or the random numbers of Dropout"
    first = _form(networks[0])
    if first is None or any(_form(network) != first for network in networks[1:]):
        return "differ from step to step, or have no configuration that tells"
    return ""


def _has_state(network: keras.layers.Layer) -> bool:
    return any(
        layer._non_trainable_variables or layer._seed_generators or layer._metrics
        for layer in network._flatten_layers()
    )


def _form(network: keras.layers.Layer) -> Any:
    """Return what two networks have in common that compute the same function of input and weights; None: unknown."""
    try:
        config = json.dumps(_without_names(keras.saving.serialize_keras_object(network), {}))
    except Exception:  # of the author's `get_config`, or a value that JSON does not have
        return None
    weights = [(tuple(weight.shape), weight.dtype) for weight in network.weights]
    return config, [type(layer) for layer in network._flatten_layers()], weights


def _without_names(config: Any, names: dict[str, str], in_links: bool = False) -> Any:
    """Return a configuration without what does not change the function: names of layers, and how weights start.

    Keras counts names up. In the links between the layers of a functional model, a name becomes the layer's number.

    Raises:
        ValueError: a function, such as an activation, is not registered: another may have its name.
    """
    if isinstance(config, dict):
        if config.get("class_name") == "function" and keras.saving.get_registered_object(config["config"]) is None:
            raise ValueError(config)
        if isinstance(config.get("name"), str):
            names.setdefault(config["name"], f"layer {len(names)}")
        return {
            key: _without_names(value, names, in_links or key in ("keras_history", "input_layers", "output_layers"))
            for key, value in config.items()
            if not (key in ("name", "seed", "trainable", "shared_object_id") or key.endswith("_initializer"))
        }
    if isinstance(config, list | tuple):
        return [_without_names(value, names, in_links) for value in config]
    return names.get(config, config) if in_links and isinstance(config, str) else config
