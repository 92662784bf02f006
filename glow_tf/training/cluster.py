"""The machines that train together, by the environment variable `TF_CONFIG`."""

import contextlib
import dataclasses
import json
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from glow_tf.errors import ConfigError, RunError

VARIABLE = "TF_CONFIG"

EXAMPLE = '{"cluster": {"worker": ["one:7000", "two:7000"]}, "task": {"type": "worker", "index": 0}}'

JOBS = ("chief", "worker")

SECONDS_BETWEEN_WARNINGS = 30
SECONDS_TO_CONNECT = 3


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The machines of a training.

    Args:
        addresses: addresses `"host:port"` by job, `"chief"` or `"worker"`; empty for one machine.
        job: job of this machine.
        index: its place in the list of the job.
    """

    addresses: dict[str, list[str]]
    job: str = "worker"
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Return whether this machine writes the run folder."""
        return self.job == ("chief" if self.addresses.get("chief") else "worker") and self.index == 0

    @property
    def others(self) -> list[str]:
        """Return the addresses of the other machines."""
        machines = [(job, i, address) for job in self.addresses for i, address in enumerate(self.addresses[job])]
        return [address for job, i, address in machines if (job, i) != (self.job, self.index)]


def read_cluster() -> Cluster:
    """Return the `Cluster` that the environment describes.

    Raises:
        ConfigError: `TF_CONFIG` is something else than a description of one.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return Cluster({})
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is not JSON ({error})") from error
    _require(isinstance(values, dict), f"it is {text[:60]}")
    addresses = values.get("cluster") or {}
    if not addresses:
        return Cluster({})
    _check_addresses(addresses)
    task = values.get("task")
    _require(isinstance(task, dict), "it has no task with type and index")
    job, index = task.get("type"), task.get("index")
    _require(job in addresses, f"its task has type {job!r}, the cluster has {' and '.join(addresses)}")
    if isinstance(index, str) and index.isdecimal():  # which TensorFlow takes, too
        index = int(index)
    count = len(addresses[job])
    _require(
        type(index) is int and 0 <= index < count,
        f"its task has index {index!r}, expected one of 0 to {count - 1}, as the cluster has {count} of type {job}",
    )
    return Cluster(addresses, job, int(index))


def _check_addresses(addresses: Any) -> None:
    _require(isinstance(addresses, dict), "its cluster is no object")
    for job, names in addresses.items():
        _require(job in JOBS, f"its cluster has the type {job!r}, expected {' and '.join(JOBS)}")
        _require(isinstance(names, list) and names, f"its cluster has no list of addresses for {job}")
        for name in names:
            host, _, port = name.rpartition(":") if isinstance(name, str) else ("", "", "")
            _require(host and port.isdecimal() and 0 < int(port) < 2**16, f"expected host:port, got {name!r}")
    _require(len(addresses.get("chief", [0])) == 1, "its cluster has several chiefs")


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise _bad(problem)


def _bad(problem: str) -> ConfigError:
    return ConfigError(
        f"{VARIABLE} does not describe machines: {problem}. Expected such as {EXAMPLE}; to train on one machine, "
        "unset it."
    )


@contextlib.contextmanager
def absent_machines_named(cluster: Cluster) -> Iterator[None]:
    """Name the machines that do not answer in a warning every 30 seconds, within the context."""
    # TensorFlow waits for them in silence.
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN_WARNINGS):
            absent = [f"{address} ({reason})" for address in cluster.others if (reason := _silence(address))]
            if absent and not ended.is_set():
                text = f"waiting for {', '.join(absent)}; start the training there too"
                warnings.warn_explicit(text, UserWarning, __file__, 0)  # `warn` would show the same text only once

    thread = threading.Thread(target=watch, daemon=True)
    if cluster.others:
        thread.start()
    try:
        yield
    finally:
        ended.set()


@contextlib.contextmanager
def ended_machines_named(cluster: Cluster) -> Iterator[None]:
    """Raise a `RunError` for the errors of TensorFlow, within the context, where another machine has ended."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    ) as error:
        if not cluster.others:
            raise
        raise RunError("another machine has ended; see its message, then run the same command on all.") from error


def _silence(address: str) -> str:
    """Return why a machine cannot be reached, or "" if it answers."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT):
            return ""
    except OSError as error:
        return error.strerror or str(error)
