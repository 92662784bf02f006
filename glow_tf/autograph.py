"""Keep AutoGraph away from functions that need none."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

Function = TypeVar("Function", bound=Callable[..., Any])


def without_autograph(function: Function) -> Function:
    """Decorate a function to be traced as it is written, with everything that it calls.

    In a `tf.function`, AutoGraph rewrites the source of all functions that are called, for `if` and `for` over tensors,
    of which there are none here. The first trace of `Glow.log_prob` took 2.8 s instead of 0.3 s with that (K=4, L=3).
    """
    return tf.autograph.experimental.do_not_convert(function)
