"""Show the weights of a Keras layer to TFP: TFP and `tf.Module` look for plain variables, and Keras wraps its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    import keras


class TrackedWeights(Sequence[tf.Variable]):
    """List the weights of a layer as plain variables, as they are at the time when `tf.Module` looks.

    Weights that the layer makes later are among them. Frozen weights are not: TFP does not know that Keras froze them,
    and a training of `distribution.trainable_variables` would change them.

    Args:
        layer: a Keras layer or model.

    Example:
        >>> from glow_tf.layers import ActNorm
        >>> layer = ActNorm()
        >>> weights = TrackedWeights(layer)
        >>> layer.build((None, 2))
        >>> len(weights)
        2
        >>> layer.trainable = False
        >>> len(weights)
        0
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        self._layer = layer

    def _variables(self) -> list[tf.Variable]:
        # A weight that was never trainable, such as the order of a shuffle, is known to TensorFlow as such.
        return [v.value for v in self._layer.weights if v.trainable or not v.value.trainable]

    def __getitem__(self, index: Any) -> Any:
        return self._variables()[index]

    def __len__(self) -> int:
        return len(self._variables())

    def __iter__(self) -> Iterator[tf.Variable]:
        return iter(self._variables())
