"""What several machines agree on: a number, and the weights of the first."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from glow_tf.training.devices import machine_count
from glow_tf.types import Tensor


class Agreement:
    """A number on which several machines agree: the largest that any of them holds.

    Asking costs a message to all, so it is done once in `every` calls; a single machine always knows.

    Args:
        strategy: the strategy that has the machines.
        every: calls between two questions.
    """

    def __init__(self, strategy: tf.distribute.Strategy, every: int = 10) -> None:
        self.strategy, self.every, self.calls = strategy, every, 0
        self.alone = machine_count(strategy) == 1

    def __call__(self, value: int) -> int:
        """Return the largest `value` of all machines; with several, 0 between the calls at which they ask."""
        if self.alone:
            return value
        self.calls += 1
        if self.calls % self.every:
            return 0
        return int(self._largest(tf.constant(value)))

    @tf.function
    def _largest(self, value: Tensor) -> Tensor:
        per_replica = self.strategy.run(_largest_of_replicas, args=(value,))
        return self.strategy.experimental_local_results(per_replica)[0]


def take_weights_of_first_machine(strategy: tf.distribute.Strategy, variables: Sequence[keras.Variable]) -> None:
    """Set variables of one floating type, on all machines, to their values on the first one."""

    @tf.function
    def values_of_first_replica(values: Tensor) -> Tensor:
        return strategy.run(_values_of_first_replica, args=(values,))

    values = tf.concat([tf.reshape(v.value, [-1]) for v in variables], 0)
    values = strategy.experimental_local_results(values_of_first_replica(values))[0]
    parts = tf.split(values, [math.prod(v.shape) for v in variables])
    for variable, part in zip(variables, parts, strict=True):
        variable.assign(tf.reshape(part, variable.shape))


def _values_of_first_replica(values: Tensor) -> Tensor:
    context = tf.distribute.get_replica_context()
    is_first = context.replica_id_in_sync_group == 0
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(is_first, values, tf.zeros_like(values)))


def _largest_of_replicas(value: Tensor) -> Tensor:
    gathered = tf.distribute.get_replica_context().all_gather(value[None], axis=0)
    return tf.reduce_max(gathered)
