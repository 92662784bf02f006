"""Where training runs: one device, several GPUs or several machines, by option."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import tensorflow as tf

from glow_tf import gpus
from glow_tf.counts import counted
from glow_tf.errors import ConfigError
from glow_tf.training.cluster import read_cluster

Structure = TypeVar("Structure")

MAX_LOGICAL_CPUS = 64
"""The greatest number of logical CPU devices."""


def strategy(devices: str | int = "auto") -> tf.distribute.Strategy:
    """Return the `tf.distribute` strategy; call it before anything else has used TensorFlow's devices.

    Args:
        devices: `"auto"`: every visible GPU, or the CPU where there is none; `"cpu"`: one CPU; a number n: the first
            n GPUs, or n logical CPU devices where there is no GPU. Where `TF_CONFIG` describes machines, they train
            together, each on its CPU for `"cpu"` and on every visible GPU for `"auto"`; a number is refused.

    Raises:
        ConfigError: `devices` is something else, or more than there are, or a number where TensorFlow does not see the
            card of this machine or where `TF_CONFIG` describes machines, or `TF_CONFIG` is wrong.
    """
    has_cluster = bool(read_cluster().addresses)
    if has_cluster and devices not in ("auto", "cpu"):
        raise ConfigError(
            "devices: expected auto or cpu where TF_CONFIG describes machines, each of which takes all its GPUs, got "
            f"{devices}; CUDA_VISIBLE_DEVICES chooses among them."
        )
    if devices == "auto":
        gpus.warn_of_unseen_card()
    if has_cluster:
        return tf.distribute.MultiWorkerMirroredStrategy()
    return _strategy_of_machine(devices)


@functools.cache
def evaluation_strategy(devices: str | int = "auto") -> tf.distribute.Strategy:
    """Return the strategy of an evaluation, on this machine alone; `devices` is that of `strategy`.

    On one device it is TensorFlow's default strategy. All callers in a process share one strategy.
    """
    set_up_gpus(devices)
    made = _strategy_of_machine(devices)
    return made if made.num_replicas_in_sync > 1 else tf.distribute.get_strategy()


def set_up_gpus(devices: str | int) -> None:
    """Hide all GPUs where `devices` is `"cpu"`, and let TensorFlow take the memory of others as it needs it."""
    if devices == "cpu":
        with contextlib.suppress(RuntimeError):  # the devices are in use already
            tf.config.set_visible_devices([], "GPU")
    gpus.let_memory_grow()


def _strategy_of_machine(devices: str | int) -> tf.distribute.Strategy:
    seen = tf.config.get_visible_devices("GPU")  # hidden ones would be taken, and TensorFlow would use the CPU silently
    if devices == "cpu":
        return tf.distribute.OneDeviceStrategy("CPU:0")
    if devices != "auto":
        return _strategy_of_count(devices, seen)
    if len(seen) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.OneDeviceStrategy("GPU:0" if seen else "CPU:0")


def _strategy_of_count(devices: str | int, seen: Sequence[object]) -> tf.distribute.Strategy:
    try:
        count = int(devices)
    except ValueError:
        raise ConfigError(f"devices: expected auto, cpu or a number, got {devices!r}.") from None
    unseen_card = None if seen else gpus.find_unseen_card()
    if unseen_card:
        raise ConfigError(
            f"devices: {unseen_card}, and --devices {count} asks for GPUs; {gpus.remedy(unseen_card)}; "
            f"--devices cpu takes the CPU, and with CUDA_VISIBLE_DEVICES=-1, --devices {count} makes {count} "
            "CPU devices."
        )
    most, kind = (len(seen), "GPUs seen") if seen else (MAX_LOGICAL_CPUS, "logical CPU devices, as no GPU is seen")
    if not 1 <= count <= most:
        raise ConfigError(f"devices: expected 1 to {most} ({kind}), got {count}.")
    if not seen:
        split_cpu(count)
    return tf.distribute.MirroredStrategy([f"{'GPU' if seen else 'CPU'}:{i}" for i in range(count)])


def split_cpu(count: int) -> None:
    """Make `count` logical CPU devices.

    Raises:
        ConfigError: TensorFlow has started already, with fewer.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:  # after TensorFlow's first operation
        present = len(tf.config.list_logical_devices("CPU"))
        if present < count:
            raise ConfigError(
                f"devices: expected at most {present}, the number of CPU devices with which TensorFlow has started in "
                f"this process, got {count}; train on {count} in a new process."
            ) from None


def on_gpu(strategy: tf.distribute.Strategy) -> bool:
    """Return whether the replicas of this machine are GPUs."""
    return all(tf.DeviceSpec.from_string(name).device_type == "GPU" for name in strategy.extended.worker_devices)


def describe(strategy: tf.distribute.Strategy) -> str:
    """Return a few words about the devices, such as "2 GPUs (2 x NVIDIA H100) on 2 machines"."""
    specs = [tf.DeviceSpec.from_string(name) for name in strategy.extended.worker_devices]
    kinds = sorted({spec.device_type for spec in specs})
    replicas, machines = strategy.num_replicas_in_sync, machine_count(strategy)
    text = counted(replicas, "/".join(kinds))
    cards = gpus.names([spec.device_index for spec in specs if spec.device_type == "GPU"])
    text += f" ({cards})" if cards else ""
    return text + (f" on {machines} machines" if machines > 1 else "")


def machine_count(strategy: tf.distribute.Strategy) -> int:
    """Return the number of machines of a strategy."""
    return getattr(strategy.extended, "_num_workers", 1)


def check_batch_size(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Check that the global batch divides evenly among the replicas.

    Raises:
        ConfigError: it does not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        below = batch_size // replicas * replicas
        near = " or ".join(str(count) for count in (below, below + replicas) if count)
        raise ConfigError(
            f"batch_size: expected a multiple of the {replicas} replicas, got {batch_size}; {near} would do."
        )


def distribute(
    strategy: tf.distribute.Strategy, make_dataset: Callable[[int, int], tf.data.Dataset], batch_size: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return a dataset, distributed over the devices, whose replicas take contiguous parts of every global batch.

    Args:
        strategy: the strategy that has the replicas.
        make_dataset: function `(input_pipelines, input_pipeline_id) -> dataset` of this machine's part of each batch.
        batch_size: images of the global batch; a multiple of the number of replicas.
    """
    if isinstance(strategy, tf.distribute.OneDeviceStrategy) and not on_gpu(strategy):
        return make_dataset(1, 0)  # a distributed one traces five functions for each pass, to move batches to a device
    replicas = strategy.num_replicas_in_sync

    def make_local_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
        batches = make_dataset(context.num_input_pipelines, context.input_pipeline_id)
        if context.num_replicas_in_sync > context.num_input_pipelines:
            batches = batches.rebatch(batch_size // replicas)
        return batches

    return strategy.distribute_datasets_from_function(make_local_dataset)


def all_reduce_sum(tensors: Structure) -> Structure:
    """Return the sums of a structure of tensors over all replicas, inside `strategy.run`."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)
