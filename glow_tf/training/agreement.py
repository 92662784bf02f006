"""`Agreement`: a number on which several machines agree."""

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


def _largest_of_replicas(value: Tensor) -> Tensor:
    gathered = tf.distribute.get_replica_context().all_gather(value[None], axis=0)
    return tf.reduce_max(gathered)
