"""The training step, and the mean of the loss's terms over a data set; both run under any strategy."""

import tensorflow as tf

from glow_tf.layers.network import mixed_precision
from glow_tf.training.devices import in_sync
from glow_tf.training.update import WeightUpdate


def terms_of(model):
    """The names of the per-image terms that are averaged and logged."""
    return ("loss", "bits_x", "bits_y", "error") if hasattr(model, "classifier") else ("loss", "bits_x")


def objective(model, batch):
    """`model.objective` of a batch of the pipeline (see `glow_tf.data`)."""
    labels = batch["label"] if model.config.classes else None
    return model.objective(batch["image"], labels, noise=batch["noise"])


class Counters(tf.Module):
    """What training counts besides the weights; saved with every checkpoint."""

    def __init__(self, terms):
        super().__init__(name="counters")
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        """Steps taken, skipped ones included: the position in the data."""
        self.skipped = tf.Variable(0, dtype=tf.int64, trainable=False, name="skipped")
        self.bad_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False, name="bad_in_a_row")
        self.sums = tf.Variable(tf.zeros([len(terms) + 2], tf.float64), trainable=False, name="sums")
        """Of the finite steps of this epoch: the terms, the gradient norm, their number."""
        self.best = tf.Variable([float("inf")] * 2, dtype=tf.float32, trainable=False, name="best")
        """Best validation bits/dim, of the raw and of the averaged weights."""


class TrainingStep:
    """One step of training on one global batch.

    The gradient is that of the mean loss over the global batch, summed over replicas; each replica then makes the
    same update of its own copy of the weights. A step with a non-finite loss or gradient is decided on the sums, so
    alike on all replicas; it changes no weight, and is counted. The average moves before the weights do.

    Args:
        model, optimizer, average (or None), counters: made under `strategy.scope()`.
        batch_size: of the global batch.
        jit_compile: compile each replica's loss and gradient with XLA.
    """

    def __init__(self, model, optimizer, average, counters, strategy, batch_size, jit_compile=False):
        self.model, self.optimizer, self.counters = model, optimizer, counters
        self.strategy, self.batch_size = strategy, batch_size
        self.terms = terms_of(model)
        self.weights = tuple(v.value for v in model.trainable_variables)
        self._gradients = (
            tf.function(self._loss_and_gradients, autograph=False, jit_compile=True)
            if jit_compile
            else self._loss_and_gradients
        )
        with strategy.scope():
            optimizer.build(model.trainable_variables)
        self.update = WeightUpdate(model, optimizer, average)

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, batch):
        """Takes one step on a (distributed) batch of the pipeline."""
        self.strategy.run(self._replica_step, args=(batch,))

    def trace(self, batch_spec):
        """Traces the step for batches of that `element_spec`, which the first call would do otherwise."""
        self.__call__.get_concrete_function(batch_spec)

    def _loss_and_gradients(self, batch):
        with mixed_precision():
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self.weights)
                terms = objective(self.model, batch)
                means = [tf.reduce_sum(terms[name]) / self.batch_size for name in self.terms]
            return means, tape.gradient(means[0], self.weights)

    def _replica_step(self, batch):
        means, gradients = in_sync(self._gradients(batch))
        norm = tf.sqrt(self.update.squared_norm(gradients))
        finite = tf.math.is_finite(means[0]) & tf.math.is_finite(norm)
        counters = self.counters
        self.update(gradients, finite)

        def count():
            self.optimizer.advance()
            counters.sums.assign_add(tf.cast(tf.stack([*means, norm, 1.0]), tf.float64))
            counters.bad_in_a_row.assign(0)
            return tf.constant(0)

        def skip():
            counters.skipped.assign_add(1)
            counters.bad_in_a_row.assign_add(1)
            return tf.constant(0)

        tf.cond(finite, count, skip)
        counters.step.assign_add(1)


class Validation:
    """The mean of the loss's terms over a data set, each image counted once.

    Batches carry a weight per image, 0 for padding, so neither the batch size nor the number of replicas matters.
    """

    def __init__(self, model, strategy):
        self.model, self.strategy, self.terms = model, strategy, terms_of(model)

    def __call__(self, dataset):
        """`{term: mean}` over a (distributed) data set of evaluation batches."""
        total = sum((self._sums(batch).numpy() for batch in dataset), 0.0)
        return dict(zip(self.terms, (total[:-1] / total[-1]).tolist(), strict=True))

    @tf.function(autograph=False, reduce_retracing=True)
    def _sums(self, batch):
        per_replica = self.strategy.run(self._replica_sums, args=(batch,))
        return self.strategy.experimental_local_results(per_replica)[0]

    def _replica_sums(self, batch):
        weight = tf.cast(batch["weight"], tf.float64)
        terms = objective(self.model, batch)
        # Padding is a repeated image, so its terms are finite and 0 * term is 0.
        sums = [tf.reduce_sum(weight * tf.cast(terms[name], tf.float64)) for name in self.terms]
        return in_sync(tf.stack([*sums, tf.reduce_sum(weight)]))
