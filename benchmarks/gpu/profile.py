"""The kernels in which a function spends its time on the device, from TensorFlow's profiler."""

import collections
import pathlib
import tempfile
import time

import tensorflow as tf

from benchmarks.gpu.measure import card_lock, finish

ROWS = 40
"""Number of kernels that are named; the others are one row."""


def kernel_times(function, calls):
    """Yield rows of the kernels of a function that was compiled before: name, calls and ms of one call of it.

    The first row has the time of a call and how much of it kernels ran; on a CPU, whose threads run side by side,
    that may be more.
    """
    with tempfile.TemporaryDirectory() as folder, card_lock():
        finish(function())
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        for _ in range(calls):
            finish(function())
        elapsed = time.perf_counter() - start
        tf.profiler.experimental.stop()
        events = _events(next(pathlib.Path(folder).rglob("*.xplane.pb")))
    totals = sorted(((sum(times), len(times), name) for name, times in events.items()), reverse=True)
    named, others = totals[:ROWS], totals[ROWS:]
    named.append((sum(t for t, _, _ in others), sum(n for _, n, _ in others), f"{len(others)} others"))
    yield {"ms": _milliseconds(elapsed, calls), "kernels_ms": _milliseconds(sum(t for t, _, _ in totals), calls)}
    for seconds, count, name in named:
        yield {"kernel": name[:100], "count": round(count / calls, 2), "ms": _milliseconds(seconds, calls)}


def _milliseconds(seconds, calls):
    return round(1e3 * seconds / calls, 3)


def _events(path):
    """Return the names of what ran on the device, each with a list of seconds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    on_gpu = [plane for plane in space.planes if plane.name.startswith("/device:GPU")]
    events = collections.defaultdict(list)
    for plane in on_gpu or [plane for plane in space.planes if plane.name == "/host:CPU"]:
        for line in plane.lines:
            # A GPU has further lines that sum the same kernels by operation, module and step.
            if not on_gpu or line.name.startswith("Stream"):
                for event in line.events:
                    events[plane.event_metadata[event.metadata_id].name].append(1e-12 * event.duration_ps)
    return events
