"""`compile`, `fit` and `evaluate` of a model whose loss is its own likelihood."""

import abc
import warnings

import keras
import tensorflow as tf

from glow_tf.layers.network import mixed_precision


class LikelihoodModel(keras.Model, abc.ABC):
    """A `keras.Model` that `fit` trains on `images` or `(images, labels)` by the terms of its own `objective`.

    A subclass defines `term_names`, `objective` and `checked_batch`. The loss is the mean over the global batch,
    however a strategy divides it among its replicas. Noise depends on the step and the replica in `fit`, and is the
    same in every call of `evaluate`, so that results repeat.
    """

    # What a subclass defines.

    @property
    @abc.abstractmethod
    def term_names(self):
        """Names of the terms of `objective` that are averaged and logged, `"loss"` first."""

    @abc.abstractmethod
    def objective(self, images, labels=None, *, seed=None, noise=None):
        """Return a dictionary of tensors `[n]` with the `term_names`."""

    @abc.abstractmethod
    def checked_batch(self, images, labels):
        """Return `(images, labels [n])` as tensors that `objective` takes, or raise; labels are None where not used."""

    @property
    def uninitialized(self):
        """True if weights that `initialize` sets from data are still those of a new model."""
        return False

    # Keras.

    def compile(self, optimizer="rmsprop", *, jit_compile=False, **kwargs):
        """Configure the model for `fit`, as `keras.Model.compile` does.

        Args:
            optimizer: a Keras optimizer or its name.
            jit_compile: compile the step with XLA; off unless asked for, as Keras's "auto" would compile on one device.
            **kwargs: other arguments of `keras.Model.compile`, without a loss and metrics, which are the model's own.
        """
        refused = [k for k in ("loss", "loss_weights", "metrics", "weighted_metrics") if kwargs.get(k) is not None]
        if refused:
            raise ValueError(
                f"{self.name}.compile: the loss and the metrics are the model's own (bits/dim), so "
                f"{' and '.join(refused)} must be left out."
            )
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.term_means = {name: keras.metrics.Mean(name=name) for name in self.term_names[1:]}

    def fit(self, *args, **kwargs):
        """Train as `keras.Model.fit` does, and warn if a new model was not initialized from data; set nothing here."""
        optimizer = getattr(self, "optimizer", None)  # None before `compile`
        if optimizer is not None and self.uninitialized and tf.convert_to_tensor(optimizer.iterations) == 0:
            warnings.warn(
                f"{self.name}.fit: the actnorms of this new model are not set from data yet (paper, section 3.1); call "
                f"{self.name}.initialize on a batch of images before fit.",
                stacklevel=2,
            )
        return super().fit(*args, **kwargs)

    def compile_from_config(self, config):
        """Compile a loaded model, so that `fit` continues with the optimizer that was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data):
        """Take one step of `fit`."""
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        with mixed_precision():
            with tf.GradientTape() as tape:
                terms, weight = self._fit_terms(data, step)
                # Keras sums the gradients of the replicas, so each has its share of the mean.
                total = tf.distribute.get_replica_context().all_reduce("sum", tf.reduce_sum(weight))
                share = self.optimizer.scale_loss(tf.reduce_sum(weight * terms["loss"]) / total)
            gradients = tape.gradient(share, [v.value for v in self.trainable_variables])
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._fit_logs(terms, weight)

    def test_step(self, data):
        """Take one step of `evaluate`."""
        return self._fit_logs(*self._fit_terms(data, tf.constant(-1)))

    def _fit_terms(self, data, step):
        """Return the terms of `objective`, and the weight of each image in their means, `[n]`."""
        images, labels, weight = keras.utils.unpack_x_y_sample_weight(data)
        if weight is not None:
            raise ValueError(
                f"{self.name}.fit: sample weights and class weights are not supported; repeat or drop images instead."
            )
        images, labels = self.checked_batch(images, labels)
        # A replica may get none of a small last batch, and TensorFlow's convolutions on a CPU fail on no images:
        # it then computes on a blank one, of weight 0.
        blank = tf.cast(tf.equal(tf.shape(images)[0], 0), tf.int32)
        weight = tf.pad(tf.ones(tf.shape(images)[:1], self.compute_dtype), [[0, blank]])
        images = tf.pad(images, [[0, blank], [0, 0], [0, 0], [0, 0]])
        labels = None if labels is None else tf.pad(labels, [[0, blank]])
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([step, tf.cast(replica, tf.int32)])
        return self.objective(images, labels, seed=seed), weight

    def _fit_logs(self, terms, weight):
        self._loss_tracker.update_state(terms["loss"], sample_weight=weight)
        for name, mean in self.term_means.items():
            mean.update_state(terms[name], sample_weight=weight)
        return self.get_metrics_result()
