"""Times of a function on TensorFlow's first device, with the transfer of one number as the end of the work.

Benchmarks that run side by side share the card by a lock on a file: all may compile at once, one at a time measures.
"""

import contextlib
import fcntl
import pathlib
import statistics
import tempfile
import time

import tensorflow as tf

LARGE = 8192
"""Rows of the square matrices whose product gives a card's rate."""


@contextlib.contextmanager
def card_lock(shared=False):
    """Wait until no other process measures, nor compiles unless `shared`, and keep the others waiting meanwhile."""
    with (pathlib.Path(tempfile.gettempdir()) / "glow_tf_benchmarks.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def milliseconds(function, calls):
    """Return the median time of a call; the function returns a tensor, of which one number is read."""
    times = []
    with card_lock():
        finish(function())
        for _ in range(calls):
            start = time.perf_counter()
            finish(function())
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def first_call_seconds(function):
    """Return the seconds of the first call, of which most is compiling."""
    with card_lock(shared=True):
        start = time.perf_counter()
        finish(function())
        return time.perf_counter() - start


def finish(tensor):
    """Wait for a tensor, by reading one number of it."""
    tf.reshape(tensor, [-1])[0].numpy()


def product_rate(dtype, rows, inner, columns, calls, repeats=10):
    """Return the Tflop/s of `[rows, inner] @ [inner, columns]`, of `repeats` products a call."""
    a, b = (tf.cast(tf.random.normal(shape), dtype) for shape in ([rows, inner], [inner, columns]))

    @tf.function(autograph=False)
    def products():
        total = tf.zeros([], dtype)
        for _ in range(repeats):
            with tf.control_dependencies([total]):
                total += tf.matmul(a, b)[0, 0]
        return total

    return 2e-9 * rows * inner * columns * repeats / milliseconds(products, calls)


def peak_mib():
    """Return the peak of device memory since the last call in MiB, or None on a CPU; and start anew."""
    if not tf.config.list_physical_devices("GPU"):
        return None
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    tf.config.experimental.reset_memory_stats("GPU:0")
    return round(peak)
