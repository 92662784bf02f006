"""`compile`, `fit`, `evaluate`, `predict` and `export` for a model whose loss is its negative log-likelihood."""

import abc
import contextlib
import os
import warnings
from collections.abc import Mapping
from typing import Any, Self

import keras
import tensorflow as tf

from glow_tf.accumulation import batch_seed, check_accumulation
from glow_tf.counts import counted
from glow_tf.layers.actnorm import ActNorm
from glow_tf.layers.keras_contract import TracedOutputs, default_floatx, in_training
from glow_tf.layers.network import mixed_precision
from glow_tf.layers.shared_steps import inlinable_steps
from glow_tf.layers.trainable_parts import FrozenWithParts, set_trainable_parts, trainable_parts
from glow_tf.optimizers import Adamax
from glow_tf.types import Config, Tensor, TensorLike


class LikelihoodTraining(TracedOutputs, FrozenWithParts, keras.Model, abc.ABC):
    """A `keras.Model` that `fit` trains on `x` or `(x, labels)` with the loss of its own `objective`.

    A subclass defines the members below. The loss is the mean over the global batch, however a strategy divides the
    batch among its replicas. In `fit`, noise depends on the batch and the replica. In `evaluate` it is the same in
    every call, so that results repeat.
    """

    # What a subclass defines.

    @property
    @abc.abstractmethod
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms of `objective` that are averaged and logged, `"loss"` first."""

    @property
    @abc.abstractmethod
    def takes_labels(self) -> bool:
        """True for a conditional model."""

    @abc.abstractmethod
    def objective(
        self, x: TensorLike, labels: TensorLike | None = None, *, seed: TensorLike | None = None
    ) -> dict[str, Tensor]:
        """Return a dictionary of tensors `[n]` with the `term_names`."""

    @abc.abstractmethod
    def checked_batch(self, x: TensorLike, labels: TensorLike | None) -> tuple[Tensor, TensorLike | None]:
        """Return `(x, labels [n])` as tensors that `objective` takes, or raise; labels are None where not used."""

    @abc.abstractmethod
    def input_specs(self) -> list[keras.InputSpec]:
        """Return the specifications of the inputs of `call`."""

    @property
    def uninitialized(self) -> bool:
        """True if there are actnorms, and all of them are the identity, as in a new model."""
        return bool(self._actnorms()) and not self._has_set_actnorms()

    def warn_if_initialized(self) -> None:
        """Warn that an initialization replaces actnorms which were set before."""
        if self._has_set_actnorms():
            warnings.warn(
                f"{self.name}.initialize: the actnorms of this model were set before and are set anew, which undoes a "
                "part of any training; initialize a new model only.",
                stacklevel=3,
            )

    def _actnorms(self) -> list[ActNorm]:
        return [layer for layer in self._flatten_layers() if isinstance(layer, ActNorm) and layer.built]

    def _has_set_actnorms(self) -> bool:
        variables = [variable for actnorm in self._actnorms() for variable in (actnorm.b, actnorm.logs)]
        return any(tf.math.count_nonzero(variable.value) > 0 for variable in variables)

    def _computes_in_float16(self) -> bool:
        layers = self._flatten_layers()
        return any("float16" in (layer.compute_dtype, getattr(layer, "network_dtype", None)) for layer in layers)

    # Keras.

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str | Config | None = None,
        *,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Configure the model for `fit`, as `keras.Model.compile` does.

        Args:
            optimizer: a Keras optimizer, its name or its configuration; None means that of the original code,
                `glow_tf.optimizers.Adamax(1e-3)`. If networks compute in float16, it is wrapped in a
                `keras.optimizers.LossScaleOptimizer`, as Keras does, unless `auto_scale_loss=False`.
            jit_compile: compile the step with XLA; off by default, because Keras's "auto" would compile on one device.
            **kwargs: other arguments of `keras.Model.compile`. A loss or metrics must be empty: the model has its own.

        Raises:
            ValueError: a loss or a metric is given, or the optimizer accumulates gradients under a strategy where Keras
                cannot.
        """
        refused = [k for k in ("loss", "loss_weights", "metrics", "weighted_metrics") if kwargs.pop(k, None)]
        if refused:
            raise ValueError(
                f"{self.name}.compile: the loss and the metrics are the model's own likelihood, so "
                f"{' and '.join(refused)} must be left out."
            )
        # The means too are of the model's type: one in bfloat16 stops counting at some hundred images.
        with default_floatx(self.compute_dtype):
            optimizer = keras.optimizers.get(Adamax(1e-3) if optimizer is None else optimizer)
            if kwargs.get("auto_scale_loss", True) and self._computes_in_float16():
                optimizer = _with_loss_scale(optimizer)
            super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
            if not hasattr(self, "term_means"):  # Keras keeps all metrics it ever saw, and would report each again
                self.term_means = {name: keras.metrics.Mean(name=name) for name in self.term_names[1:]}
        check_accumulation(self.optimizer, self.distribute_strategy, f"{self.name}.compile")

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; warn about a new model that was not initialized, but do not initialize it.

        A model of which no weight is trainable is measured as `evaluate` does, with a warning.

        Args:
            *args: arguments of `keras.Model.fit`.
            **kwargs: arguments of `keras.Model.fit`, without sample weights and class weights.

        Returns:
            Keras's `History` of the means of the terms `term_names`.
        """
        self._refuse_weights(kwargs.get("sample_weight"), kwargs.get("class_weight"))
        optimizer = getattr(self, "optimizer", None)  # None before `compile`
        if optimizer is not None and self.uninitialized and tf.convert_to_tensor(optimizer.iterations) == 0:
            warnings.warn(
                f"{self.name}.fit: the actnorms of this new model are not set from data yet (paper, section 3.1); call "
                f"{self.name}.initialize on a batch of data before fit.",
                stacklevel=2,
            )
        if optimizer is not None and self.trainable_variables and not optimizer.built:
            # Variables that are made while Keras traces the step would have it traced twice.
            with self.distribute_strategy.scope():
                optimizer.build(self.trainable_variables)
        return super().fit(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does; the arguments are Keras's, without sample weights."""
        self._refuse_weights(kwargs.get("sample_weight"), method="evaluate")
        return super().evaluate(*args, **kwargs)

    def compile_from_config(self, config: Config) -> None:
        """Compile a loaded model, so that `fit` continues with the optimizer that was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Take one step of `fit`."""
        x, labels, weight = self._fit_batch(data)  # which builds a new model
        if not self.trainable_variables:
            warnings.warn(
                f"{self.name}.fit: no weight of the model is trainable, so it is measured and not trained; set "
                "trainable = True on the parts to train, then call compile again.",
                stacklevel=2,
            )
            return self._measure(x, labels, weight)  # the seeds of training count updates
        # Loss scaling that is traced unbuilt would keep its first scale.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        with mixed_precision():
            with tf.GradientTape() as tape:
                with in_training(self):
                    terms = self.objective(x, labels, seed=batch_seed(self.optimizer, _replica()))
                if self.losses:
                    raise ValueError(
                        f"{self.name}.fit: the loss is the likelihood alone; leave out the regularizers and the "
                        f"`add_loss` of its layers ({counted(len(self.losses), 'further loss', 'further losses')})."
                    )
                # Keras sums the gradients of the replicas, so each has its share of the mean.
                total = tf.distribute.get_replica_context().all_reduce("sum", tf.reduce_sum(weight))
                share = self.optimizer.scale_loss(tf.reduce_sum(weight * terms["loss"]) / total)
            gradients = tape.gradient(share, [v.value for v in self.trainable_variables])
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._fit_logs(terms, weight)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Take one step of `evaluate`."""
        return self._measure(*self._fit_batch(data))

    def predict_step(self, data: Any) -> Any:
        """Take one step of `predict`; labels come in a data set of pairs, as in `fit`, or as `[x, labels]`."""
        x, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(x, list | tuple) and len(x) == 2:
            x, labels = x
        elif not self.takes_labels:
            labels = None  # Keras's `predict` ignores what only training needs
        return self(x) if labels is None else self(x, labels)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Export `call` as `keras.Model.export` does; the arguments are Keras's.

        Args:
            filepath: path to write.
            format: name of the format.
            verbose: print the signatures of the export.
            input_signature: specifications of the inputs; by default `input_specs()`.
            **kwargs: other arguments of the format.
        """
        if input_signature is None:
            input_signature = self.input_specs()
        # Only TensorFlow itself runs functions that must not be inlined.
        with contextlib.nullcontext() if format == "tf_saved_model" else inlinable_steps():
            super().export(filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs)

    def get_config(self) -> Config:
        """Return the name, and which parts are trained; a subclass adds its arguments."""
        parts = trainable_parts(self)
        config = {"name": self.name, "trainable": self.trainable}
        return {**config, "trainable_parts": parts} if parts else config

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Return a model of the configuration that `get_config` returned; the arguments are those of `keras.Model`."""
        config = dict(config)  # the caller's stays as it is
        parts = config.pop("trainable_parts", {})
        model = super().from_config(config, custom_objects)
        set_trainable_parts(model, parts)
        return model  # pyright: ignore[reportReturnType] (Keras has no annotations: it returns a `cls`)

    def _fit_batch(self, data: Any) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return `(x, labels, weight)` of a batch of `fit`: the weight of each example in the means is `[n]`."""
        x, labels, weight = keras.utils.unpack_x_y_sample_weight(data)
        self._refuse_weights(weight)
        if labels is not None and not self.takes_labels:
            warnings.warn(f"{self.name} is unconditional: the labels beside the data are not used.", stacklevel=2)
            labels = None
        x, labels = self.checked_batch(x, labels)
        # A replica may get none of a small last batch, and TensorFlow's convolutions on a CPU fail on no images:
        # it then computes on a blank one, of weight 0.
        blank = tf.cast(tf.equal(tf.shape(x)[0], 0), tf.int32)
        weight = _append_zeros(tf.ones(tf.shape(x)[:1], self.compute_dtype), blank)
        labels = None if labels is None else _append_zeros(tf.convert_to_tensor(labels), blank)
        return _append_zeros(x, blank), labels, weight

    def _refuse_weights(self, *weights: Any, method: str = "fit") -> None:
        """Raise a `ValueError` for weights of examples; without labels, Keras itself drops those in silence."""
        if any(weight is not None for weight in weights):
            raise ValueError(
                f"{self.name}.{method}: sample weights and class weights are not supported; repeat or drop examples "
                "instead."
            )

    def _measure(self, x: Tensor, labels: Tensor | None, weight: Tensor) -> dict[str, Tensor]:
        # Keras resets the count at the start of `evaluate`: other batches have other noise, and results repeat.
        examples = tf.cast(self._loss_tracker.count.value, tf.int32)
        return self._fit_logs(self.objective(x, labels, seed=tf.stack([-1 - examples, _replica()])), weight)

    def _fit_logs(self, terms: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
        self._loss_tracker.update_state(terms["loss"], sample_weight=weight)
        for name, mean in self.term_means.items():
            mean.update_state(terms[name], sample_weight=weight)
        return self.get_metrics_result()


def _with_loss_scale(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return an optimizer that scales the loss, without which small gradients are 0 in float16."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")


def _replica() -> Tensor:
    return tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)


def _append_zeros(x: Tensor, count: Tensor) -> Tensor:
    """Append `count` examples of zeros to `x` `[n, ...]`; labels of unknown rank are taken to be a vector."""
    return tf.pad(x, tf.convert_to_tensor([[0, count], *[[0, 0]] * ((x.shape.rank or 1) - 1)]))
