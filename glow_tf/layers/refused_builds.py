"""Leave a layer as it was where its first value, or its build, is refused.

A composite layer builds its parts one after another, so a part may be built for a shape that the next one refuses. It
would keep that shape, and the composite layer could take no other value.

Keras has no inverse of `build`. Here the attributes of every layer that is not built are kept before, and restored
after an error: the layers themselves stay, which the user may hold.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any, Self

import keras

from glow_tf.layers.context_values import value_set
from glow_tf.layers.keras_contract import LayerMixin

_kept = contextvars.ContextVar("kept", default=False)


@contextlib.contextmanager
def as_before_on_error(layer: keras.layers.Layer) -> Iterator[None]:
    """Restore a layer that is not built, and its parts that are not, if the context ends with an error.

    Parts that are built keep their weights. Contexts within one do nothing: the outer one restores all.

    Example:
        >>> layer = keras.layers.Dense(2)
        >>> with contextlib.suppress(ValueError), as_before_on_error(layer):
        ...     layer.build((None, 3))
        ...     raise ValueError
        >>> layer.built, layer.weights
        (False, [])
    """
    if layer.built or _kept.get():
        yield
        return
    kept = [(part, vars(part).copy(), _collections(part)) for part in _unbuilt(layer)]
    try:
        with value_set(_kept, True):
            yield
    except BaseException:
        for part, attributes, collections in kept:
            _restore(part, attributes, collections)
        raise


def _unbuilt(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return [part for part in layer._flatten_layers() if not part.built]


def _collections(layer: keras.layers.Layer) -> list[tuple[Any, Any]]:
    """Return each list, dictionary and set among the attributes, in which Keras keeps weights and parts, and a copy."""
    values = [*vars(layer).values(), *layer._tracker.stored_ids.values()]
    return [(value, _copy(value)) for value in values if isinstance(value, list | dict | set)]


def _copy(value: Any) -> list[Any] | dict[Any, Any] | set[Any]:
    return next(kind(value) for kind in (list, dict, set) if isinstance(value, kind))


def _restore(layer: keras.layers.Layer, attributes: dict[str, Any], collections: list[tuple[Any, Any]]) -> None:
    layer.__dict__.clear()
    layer.__dict__.update(attributes)
    layer._tracker.unlock()  # only a built layer is locked
    for value, copy in collections:  # in place: Keras's tracker has the same lists
        if isinstance(value, list):
            list.__setitem__(value, slice(None), copy)
        else:
            kind: Any = dict if isinstance(value, dict) else set  # not the methods of Keras's subclasses
            kind.clear(value)
            kind.update(value, copy)


class WholeBuilds(LayerMixin):
    """Mixin of Keras layers whose `build` leaves the layer and its parts as they were where it fails."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a layer as Keras does, and wrap its `build`."""
        layer = super().__new__(cls, *args, **kwargs)
        build = layer.build  # Keras's wrapper of the method of the class

        @functools.wraps(build)
        def whole_build(*args: Any, **kwargs: Any) -> None:
            with as_before_on_error(layer):
                build(*args, **kwargs)

        layer.build = whole_build
        return layer
