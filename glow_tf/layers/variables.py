"""Make many TensorFlow variables quickly.

**The plain code.** Keras makes a `tf.Variable` for every weight, with the name of the weight.

**The trick.** TensorFlow's operation that makes a variable has the variable's name as an attribute, and TensorFlow sets
up a kernel for each value of the attributes. Within `unnamed_variables()` all `tf.Variable`s have the same name, so one
kernel per shape makes them all. Keras's names and paths, which are stored in files, do not change.

**The gain.** A variable takes 0.2 ms instead of 0.8 ms, and training with Adamax has four variables for each weight:
4,650 at K=32, L=3.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from glow_tf.types import Tensor


def shared_zeros() -> Callable[[Any, Any], Tensor]:
    """Return an initializer of zeros that makes one tensor for all variables of a shape."""
    return functools.cache(lambda shape, dtype: tf.zeros(shape, dtype))


def unnamed_variables() -> AbstractContextManager[None]:
    """Return a context in which `tf.Variable`s that are made eagerly have one and the same name."""
    return tf.variable_creator_scope(_create_unnamed)


def _create_unnamed(next_creator: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
    if tf.executing_eagerly():  # in a graph, variables of one name would be one variable
        options["name"] = "variable/"  # the slash ends the scopes of names around it
    return next_creator(**options)
