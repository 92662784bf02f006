"""Types of arguments and results that several modules share.

TensorFlow has no annotations of its own that a type checker can use for shapes, so shapes stay in the docstrings.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

Tensor: TypeAlias = tf.Tensor
"""A tensor that TensorFlow computed."""

TensorLike: TypeAlias = tf.Tensor | tf.Variable | np.ndarray | np.number | float | Sequence[Any]
"""A tensor, or what `tf.convert_to_tensor` makes one of."""

Value: TypeAlias = tf.Tensor | list[Any]
"""Input or output of a flow layer: a tensor `[..., H, W, C]`, or a (nested) list of tensors."""

Latents: TypeAlias = list[tf.Tensor]
"""Latents of a Glow: `[eps_0, ..., eps_top]`, finest level first."""

Images: TypeAlias = np.ndarray
"""Images, uint8 `[n, H, W, C]`."""

ShapeLike: TypeAlias = tf.TensorShape | Sequence[int | None]
"""The static shape of a tensor; None stands for an unknown size."""

ImageShape: TypeAlias = tuple[int, int, int]
"""The shape `(H, W, C)` of an image."""
EventShape: TypeAlias = tuple[Any, ...] | list[Any]
"""The shape of one example of a flow layer, `(..., C)`: ints, None for an unknown size, or scalar tensors of a graph.

It is a list of such shapes where the layer has a list of latents.
"""

Config: TypeAlias = dict[str, Any]
"""The configuration of a Keras object, as `get_config` returns it."""

NamedArrays: TypeAlias = Mapping[str, np.ndarray]
"""Arrays by name, as `np.load` of an `.npz` returns them."""
