"""`LikelihoodModel`: `compile` and `fit` for any flow layer."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from glow_tf.arguments import check_count, check_temperature, refuse_masked
from glow_tf.autograph import without_autograph
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.tensors import holds_tensors, standard_normal_log_prob
from glow_tf.likelihood_training import LikelihoodTraining
from glow_tf.random import as_dtype, fresh_seed, standard_normal
from glow_tf.types import Config, Tensor, TensorLike


@keras.saving.register_keras_serializable("glow_tf")
class LikelihoodModel(LikelihoodTraining):
    """Density of a flow layer over standard normal latents: a `keras.Model` that `fit` trains by maximum likelihood.

    The loss is the mean of `-log_prob`, in nats. `fit` and `evaluate` take `x` `[n, *event]`, or pairs
    `(x, condition)` for a conditional flow; `predict` returns `log_prob`. For images use `Glow`, which dequantizes.

    Args:
        flow: a `FlowLayer`.
        conditional: pass the second element of each pair to the flow as its condition. By default True if the
            flow takes one (`takes_condition`).

    Raises:
        TypeError: `flow` is not a flow layer.
        ValueError: the given `dtype` is not that of the flow.

    Example:
        >>> import numpy as np
        >>> from glow_tf import ActNorm, Coupling, FlowSequential, InvertibleConv1x1
        >>> network = keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(2)])
        >>> model = LikelihoodModel(FlowSequential([ActNorm(), InvertibleConv1x1(seed=0), Coupling(network=network)]))
        >>> points = np.random.default_rng(0).normal(size=(256, 2))
        >>> model.initialize(points)
        >>> model.compile(keras.optimizers.Adam(1e-3))
        >>> history = model.fit(points, batch_size=64, verbose=0)
        >>> model.sample(5, seed=0).shape
        TensorShape([5, 2])
    """

    def __init__(self, flow: FlowLayer, *, conditional: bool | None = None, **kwargs: Any) -> None:
        if not isinstance(flow, FlowLayer):
            raise TypeError(f"LikelihoodModel: expected a flow layer, got a {type(flow).__name__}.")
        dtype = kwargs.pop("dtype", None)
        if dtype is not None and keras.dtype_policies.get(dtype).compute_dtype != flow.compute_dtype:
            raise ValueError(f"LikelihoodModel: the dtype is that of the flow, {flow.compute_dtype}, got {dtype}.")
        super().__init__(dtype=flow.compute_dtype, **kwargs)
        self.flow = flow
        if conditional is None:
            conditional = flow.takes_condition
        self.conditional = conditional
        if flow.built and flow.event_shape:
            self.build((None, *flow.event_shape))

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build the flow for inputs of the shape `(n, *event)`."""
        if not self.flow.built:
            self.flow.build(input_shape)

    # Likelihood.

    @without_autograph
    def log_prob(self, x: TensorLike, condition: TensorLike | None = None) -> Tensor:
        """Compute the log-density in nats.

        Args:
            x: examples `[n, *event]`; floats are cast to the flow's dtype.
            condition: labels, int `[n]`, for a conditional flow.

        Returns:
            The log-density, `[n]`.

        Raises:
            TypeError: `x` is not floats.
            ValueError: `x` has another event shape, or labels are given to an unconditional flow.
        """
        latents, log_det = self.flow.encode(self._checked(x), self._checked_condition(condition, "log_prob"))
        return log_det + standard_normal_log_prob(latents)

    def sample(
        self,
        n: int | Tensor,
        temperature: TensorLike = 1.0,
        condition: TensorLike | None = None,
        *,
        seed: TensorLike | None = None,
    ) -> Tensor:
        """Draw `n` examples.

        Args:
            n: number of examples.
            temperature: the standard deviation of every latent, 0 or more, a scalar or one per example.
            condition: labels `[n]`, or one for all, for a conditional flow.
            seed: an int or two; None draws a fresh seed in an eager call.

        Returns:
            The examples, `[n, *event]`.

        Raises:
            ValueError: the model is not built yet, or for examples of unknown size, or a number is out of range.
        """
        n, temperature = check_count(n, "sample"), check_temperature(temperature, "sample", n)
        encoded_shape = self.flow.encoded_shape(self._event_shape())
        shapes = encoded_shape if isinstance(encoded_shape, list) else [encoded_shape]
        if any(None in shape for shape in shapes):
            raise ValueError(
                f"{self.name}.sample: the flow was built for examples of unknown size, {self.flow.event_shape}; call "
                "flow.decode on latents of the size to draw, or build the flow for one size."
            )
        eps = standard_normal(n, shapes, fresh_seed(seed, "sample"), self.compute_dtype)
        scale = tf.broadcast_to(as_dtype(temperature, self.compute_dtype), [n])
        latents = [e * tf.reshape(scale, [-1] + [1] * (e.shape.rank - 1)) for e in eps]
        x, _ = self.flow.decode(
            latents if isinstance(encoded_shape, list) else latents[0], self._checked_condition(condition, "sample")
        )
        assert not isinstance(x, list)  # an example is one tensor
        return x

    def initialize(self, x: TensorLike, condition: TensorLike | None = None) -> None:
        """Set the actnorms of a fresh flow from one batch (paper, section 3.1); arguments are those of `log_prob`."""
        x, condition = self._checked(x), self._checked_condition(condition, "initialize")
        if tf.executing_eagerly():
            self.warn_if_initialized()
        self.flow.initialize(x, condition)

    def objective(
        self, x: TensorLike, labels: TensorLike | None = None, *, seed: TensorLike | None = None
    ) -> dict[str, Tensor]:
        """Return `loss`, the negative log-density in nats, `[n]`."""
        return {"loss": -self.log_prob(x, labels)}

    # Keras.

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms of `objective` that training averages and logs."""
        return ("loss",)

    @property
    def takes_labels(self) -> bool:
        """True for a conditional flow."""
        return self.conditional

    def call(self, x: TensorLike, condition: TensorLike | None = None) -> Tensor:
        """Run `log_prob`: the entry point of Keras."""
        return self.log_prob(x, condition)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of `log_prob`, `(n,)`, for the shape of `x`, `(n, *event)`."""
        return tuple(input_shape[:1])

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; a new flow is first built for the shape of the data.

        Args:
            x: array `[n, *event]`, or a `tf.data.Dataset` of batches `x` or `(x, condition)`.
            *args: other arguments of `keras.Model.fit`.
            **kwargs: other arguments of `keras.Model.fit`.
        """
        spec = getattr(x, "element_spec", x)
        shape = getattr(spec[0] if isinstance(spec, tuple) else spec, "shape", None)
        if not self.built and shape is not None and tf.TensorShape(shape).rank is not None:
            self.build(tuple(shape))
        return super().fit(x, *args, **kwargs)

    def checked_batch(self, x: TensorLike, labels: TensorLike | None) -> tuple[Tensor, TensorLike | None]:
        """Return a batch of `fit` as a checked tensor, and its labels unchanged; the flow checks the labels."""
        return self._checked(x), labels

    def input_specs(self) -> list[keras.InputSpec]:
        """Return the specifications of the inputs of `call`: `x`, and the condition if the flow is conditional."""
        labels = [keras.InputSpec("int32", (None,), name="condition")] if self.conditional else []
        return [keras.InputSpec(self.compute_dtype, (None, *self._event_shape()), name="x"), *labels]

    def get_config(self) -> Config:
        """Return the configuration from which `from_config` makes an equal model, without its weights."""
        flow = keras.saving.serialize_keras_object(self.flow)
        return {"flow": flow, "conditional": self.conditional, **super().get_config()}

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Return a model of the configuration that `get_config` returned; the arguments are those of `keras.Model`."""
        flow = keras.saving.deserialize_keras_object(config["flow"], custom_objects)
        return super().from_config({**config, "flow": flow}, custom_objects)

    # Checks.

    def _checked(self, x: TensorLike) -> Tensor:
        """Return a batch as a tensor; floats are cast to the flow's dtype, and the model is built on first use."""
        refuse_masked(x, self.name)
        if holds_tensors(x):
            raise ValueError(f"{self.name}: expected one tensor, got a list of {len(x)}; stack them.")
        x = tf.convert_to_tensor(x, None if hasattr(x, "dtype") else self.compute_dtype)
        x = tf.cast(x, self.compute_dtype) if x.dtype.is_floating else x  # the flow refuses any other
        if not self.built:
            if x.shape.rank is None:
                raise ValueError(
                    f"{self.name}: expected a batch of known rank, which builds the model, got <unknown>; call "
                    "initialize on an array first, or set the shape with tf.ensure_shape."
                )
            self.build(tuple(x.shape))
        event_shape = self._event_shape()
        if not x.shape.is_compatible_with([None, *event_shape]):
            shape = ", ".join(map(str, event_shape))
            raise ValueError(f"{self.name}: expected a batch [n, {shape}], got the shape {x.shape}.")
        # Of a data set whose shapes only the graph knows; the shape is checked when it runs.
        return x if x.shape[1:].is_fully_defined() else tf.ensure_shape(x, [None, *event_shape])

    def _checked_condition(self, condition: TensorLike | None, method: str) -> TensorLike | None:
        """Return the condition; raise if no layer of the flow reads it, because it would be ignored."""
        self.flow.check_condition(condition, f"{self.name}.{method}")
        return condition

    def _event_shape(self) -> tuple[int | None, ...]:
        if not self.built or self.flow.event_shape is None:
            raise ValueError(f"{self.name} does not know the shape of an example yet; call initialize or fit first.")
        return self.flow.event_shape
