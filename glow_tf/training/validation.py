"""Validation of the raw and of the EMA weights."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.metrics_table import Row
from glow_tf.model import Glow
from glow_tf.runs import EMA_SUFFIX
from glow_tf.training.devices import all_reduce_sum
from glow_tf.training.state import TrainingState
from glow_tf.training.step import Batch, objective
from glow_tf.types import Tensor


class Validation:
    """The mean of the loss's terms over a data set, each image counted once.

    Batches carry a weight per image, 0 for padding and for damaged images, so neither the batch size nor the number of
    replicas matters.

    Args:
        model: the model, made under `strategy.scope()`.
        strategy: the strategy that has the replicas.
    """

    def __init__(self, model: Glow, strategy: tf.distribute.Strategy) -> None:
        self.model, self.strategy = model, strategy
        self.term_names: Sequence[str] = model.term_names

    def __call__(self, dataset: Iterable[Any]) -> dict[str, float]:
        """Return `{term: mean}` over a (distributed) data set of evaluation batches."""
        total = sum((self._sums(batch).numpy() for batch in dataset), np.zeros(len(self.term_names) + 1))
        return dict(zip(self.term_names, (total[:-1] / total[-1]).tolist(), strict=True))

    @tf.function(autograph=False, reduce_retracing=True)
    def _sums(self, batch: Any) -> Tensor:
        per_replica = self.strategy.run(self._replica_sums, args=(batch,))
        return self.strategy.experimental_local_results(per_replica)[0]

    def _replica_sums(self, batch: Batch) -> Tensor:
        weight = tf.cast(batch["weight"], tf.float64)
        terms = objective(self.model, batch)
        # An image of weight 0 does not count even where its terms are not finite.
        values = [tf.cast(terms[name], tf.float64) for name in self.term_names]
        sums = [tf.reduce_sum(tf.math.multiply_no_nan(value, weight)) for value in values]
        return all_reduce_sum(tf.stack([*sums, tf.reduce_sum(weight)]))


def validate_and_keep_best(state: TrainingState, validation: Validation, dataset: Iterable[Any]) -> Row:
    """Validate the raw and the EMA weights; save as `best` those whose loss is the lowest so far.

    Args:
        state: the state of the training.
        validation: the validation of its model.
        dataset: a (distributed) data set, which is iterated twice.

    Returns:
        The columns of metrics.csv, such as `val_bits_x` and `val_bits_x_average`; None stands for a mean that is not
        finite.
    """
    columns: Row = {}
    best = state.counters.best.numpy()
    for i, ema in enumerate((False, True)):
        with state.weights(ema):
            means = validation(dataset)
        suffix = EMA_SUFFIX if ema else ""
        for name, mean in means.items():
            if name != "loss":
                columns[f"val_{name}{suffix}"] = mean if math.isfinite(mean) else None
        if means["loss"] < best[i]:
            best[i] = means["loss"]
            state.save_weights("best", ema_values=(ema,))
    state.counters.best.assign(best)
    return columns
