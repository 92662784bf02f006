"""Values of int32 variables in programs that XLA compiles for a GPU.

TensorFlow keeps variables of int32 in the memory of the host. A program of XLA on a GPU cannot read them there ("Trying
to access resource ... located in device CPU:0 from device GPU:0"), so the value is read where the program is called.
"""

import keras
import tensorflow as tf

from glow_tf.layers.tensors import compiled_by_xla
from glow_tf.types import Tensor


def value_of(variable: keras.Variable) -> Tensor:
    """Return the value of a variable of any dtype, in a program of XLA too."""
    value = variable.value  # a tensor, where `keras.StatelessScope` replaces the variable
    if not (isinstance(value, tf.Variable) and value.dtype == tf.int32 and compiled_by_xla() and _on_gpu()):
        return tf.convert_to_tensor(value)
    graph = tf.compat.v1.get_default_graph()
    while getattr(graph, "is_control_flow_graph", False):  # the bodies of loops and conditions are given no values
        graph = graph.outer_graph
    with graph.as_default():
        spec = tf.TensorSpec(value.shape, value.dtype)
        return graph.capture_call_time_value(lambda: tf.convert_to_tensor(value), spec)


def _on_gpu() -> bool:
    """Return whether TensorFlow uses a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))
