"""Tensors whose memory is that of NumPy arrays, so that `tf.data` reads a memory map in TensorFlow's own threads."""

import concurrent.futures
import functools
import mmap
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike


def zeros(shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """Return a NumPy array of zeros at the start of a page of memory, as `variable` needs it."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, int(np.prod(shape))).reshape(shape)


def variable(array: np.ndarray) -> tf.Variable:
    """Return a `tf.Variable` on the CPU that shares the memory of an array: what NumPy writes is read in graphs.

    A tensor that a data set captures is copied into its graph, a variable is not.

    Args:
        array: a writable array whose memory begins at a multiple of 64 bytes (see `zeros`).
    """

    def make() -> tf.Variable:
        with tf.device("CPU:0"):
            return tf.Variable(tf.experimental.dlpack.from_dlpack(array.__dlpack__()), trainable=False)

    # In a thread of its own no strategy's scope applies, which would copy the variable to each of its devices.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()


@functools.cache
def is_supported() -> bool:
    """Return whether a `variable` of this TensorFlow does share the memory of its array."""
    array = zeros([64], np.uint8)
    try:
        shared = variable(array)
    except Exception:  # whatever another version raises, data can be read without
        return False
    array[0] = 1
    return int(shared.read_value()[0]) == 1
