"""The training step, under any `tf.distribute` strategy."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import tensorflow as tf

from glow_tf.layers.network import mixed_precision
from glow_tf.layers.shared_steps import unrolled_steps
from glow_tf.model import Glow
from glow_tf.training.devices import all_reduce_sum
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.fused_update import WeightUpdate
from glow_tf.training.optimizers import GlowOptimizer
from glow_tf.training.stacked_state import StackedState
from glow_tf.types import Tensor

Batch: TypeAlias = Mapping[str, tf.Tensor]
"""A batch of the pipeline (see `glow_tf.data.pipeline`)."""


def objective(model: Glow, batch: Batch) -> Mapping[str, Tensor]:
    """Return `model.objective` of a batch of the pipeline."""
    labels = batch["label"] if model.config.classes else None
    return model.objective(batch["image"], labels, noise=batch["noise"])


class Counters(tf.Module):
    """Counters of training: steps, skipped steps, sums for the metrics; saved with every checkpoint.

    Args:
        term_names: `Glow.term_names` of the model.
    """

    # The names of the attributes are paths in checkpoints: a file format.

    def __init__(self, term_names: Sequence[str]) -> None:
        super().__init__(name="counters")
        self.step = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="step")
        """Steps taken, skipped ones included: the position in the data."""
        self.skipped = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="skipped")
        self.bad_in_a_row = tf.Variable(tf.constant(0, tf.int64), trainable=False, name="bad_in_a_row")
        self.sums = tf.Variable(tf.zeros([len(term_names) + 2], tf.float64), trainable=False, name="sums")
        """Sums over the finite steps of this epoch: the terms, the gradient norm, 1 for each step."""
        self.best = tf.Variable(tf.constant([float("inf")] * 2, tf.float32), trainable=False, name="best")
        """Lowest validation loss so far, of the raw and of the EMA weights."""

    def count(self, values: Tensor, accepted: Tensor) -> None:
        """Count a step of this replica.

        It uses no `tf.cond`, which would make a GPU wait for the host.

        Args:
            values: the terms and the gradient norm, to be summed, `[terms + 1]`.
            accepted: bool scalar, False for a skipped step.
        """
        rejected = tf.cast(tf.logical_not(accepted), tf.int64)
        self.step.assign_add(1)
        self.skipped.assign_add(rejected)
        self.bad_in_a_row.assign(rejected * (self.bad_in_a_row + 1))
        terms = tf.cast(tf.concat([values, [1.0]], 0), self.sums.dtype)
        self.sums.assign_add(tf.where(accepted, terms, tf.zeros_like(terms)))


class TrainingStep:
    """One step of training on one global batch.

    The gradient is that of the mean loss over the global batch, summed over replicas; each replica then makes the
    same update of its own copy of the weights. Non-finite steps are detected on the all-reduced values, so all
    replicas agree; such a step is counted but skipped. The EMA moves before the weights do.

    Args:
        model: the model to train.
        optimizer: its optimizer.
        ema: its EMA, or None.
        counters: the counters of the training. All four are made under `strategy.scope()`.
        strategy: the strategy that has the replicas.
        batch_size: images of the global batch.
        jit_compile: compile with XLA what each replica does before and after the exchange of gradients. The
            step then holds the state as arrays of its own: call `load` after a change of model, optimizer or EMA from
            outside, and `store` before anything else reads them.
        unroll: compile each flow step by itself instead of a level's K steps as one loop. Compiling then takes
            minutes at K=32, and a step less time on a GPU.
    """

    def __init__(
        self,
        model: Glow,
        optimizer: GlowOptimizer,
        ema: ExponentialMovingAverage | None,
        counters: Counters,
        strategy: tf.distribute.Strategy,
        batch_size: int,
        jit_compile: bool = False,
        unroll: bool = False,
    ) -> None:
        self.model, self.optimizer, self.counters = model, optimizer, counters
        self.strategy, self.batch_size, self.unroll = strategy, batch_size, unroll
        self.term_names = model.term_names
        with strategy.scope():
            optimizer.build(model.trainable_variables)
        self.stacked = StackedState(model, optimizer, ema, strategy) if jit_compile else None
        self.loss_and_gradients = self._loss_and_gradients
        """Function of a replica's batch that returns `(means of the terms, gradients)`, not yet all-reduced."""
        if self.stacked:
            self.loss_and_gradients = tf.function(self._stacked_loss_and_gradients, autograph=False, jit_compile=True)
            self.update = self.stacked.update
        else:
            self.weights = tuple(v.value for v in model.trainable_variables)
            self.update = WeightUpdate(model, optimizer, ema)

    def load(self) -> None:
        """Take over the weights, moments and EMA that are in model, optimizer and EMA."""
        if self.stacked:
            self.stacked.load()

    def store(self) -> None:
        """Write the weights, moments and EMA of the step back into model, optimizer and EMA."""
        if self.stacked:
            self.stacked.store()

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, batch: Any) -> None:
        """Take one step on a (distributed) batch of the pipeline."""
        self.strategy.run(self._replica_step, args=(batch,))

    def trace(self, batch_spec: Any) -> None:
        """Trace the step for batches of that `element_spec`, which the first call would do otherwise."""
        # Type checkers take a method under `tf.function` for an ordinary one.
        self.__call__.get_concrete_function(batch_spec)  # pyright: ignore[reportAttributeAccessIssue]

    def _loss_and_gradients(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        return self._means_and_gradients(batch, self.weights, contextlib.nullcontext)

    def _stacked_loss_and_gradients(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        stacked = self.stacked
        assert stacked is not None
        weights = stacked.weights()
        with unrolled_steps(self.unroll):
            return self._means_and_gradients(batch, weights, lambda: stacked.scope(weights))

    def _means_and_gradients(
        self,
        batch: Batch,
        weights: Sequence[tf.Variable | Tensor],
        scope: Callable[[], AbstractContextManager[object]],
    ) -> tuple[list[Tensor], list[Tensor]]:
        with mixed_precision(), tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with scope():
                terms = objective(self.model, batch)
            means = [tf.reduce_sum(terms[name]) / self.batch_size for name in self.term_names]
            # Of the types in TensorFlow's stubs these are tensors: no weight is read by `tf.gather`.
            return means, tape.gradient(means[0], weights)  # pyright: ignore[reportReturnType]

    def _replica_step(self, batch: Batch) -> None:
        means, gradients = all_reduce_sum(self.loss_and_gradients(batch))
        norm, accepted = self.update(gradients, means[0])
        self.counters.count(tf.stack([*means, norm]), accepted)
        self.optimizer.advance(accepted)
