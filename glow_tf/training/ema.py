"""Exponential moving average (EMA) of the weights, by the rule of the original code (openai/glow)."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf


class ExponentialMovingAverage(tf.Module):
    """EMA of a model's trainable weights: `shadow <- shadow - (1 - decay) * (shadow - weight)`.

    `weight` is the value *before* the step's update, and there is no debiasing, as in the original code. The shadows
    start at the initialized weights; the original's start before the data-dependent initialization.
    `fused_update.WeightUpdate` and `stacked_state.StackedState` move them.

    `use_ema` of a Keras optimizer is another rule: it averages after the update, and overwrites the weights at the end
    of `fit`.

    Args:
        model: a built model.
        decay: share of the EMA that a step keeps, in [0, 1).

    Example:
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> ema = ExponentialMovingAverage(model, decay=0.99)
        >>> _ = model.trainable_variables[0].assign([[3.0], [5.0]])
        >>> with ema.swapped():
        ...     model.trainable_variables[0].numpy().ravel().tolist()
        [1.0, 1.0]
    """

    # The names `shadows` and `_sources` are paths in checkpoints: a file format.

    def __init__(self, model: keras.Model, decay: float) -> None:
        super().__init__(name="average")
        self.decay = decay
        # Keep variables, not the model: tracking the model here would save it twice.
        self._sources = tuple(v.value for v in model.trainable_variables)
        self.shadows = [tf.Variable(v, trainable=False, name="shadow") for v in self._sources]

    def check_variables(self, variables: Sequence[keras.Variable]) -> None:
        """Check that the shadows are those of these variables, in this order.

        Raises:
            ValueError: they are not.
        """
        if [id(v.value) for v in variables] != [id(source) for source in self._sources]:
            raise ValueError(
                "the trainable weights are not those of the EMA; freeze parts of a model before making it."
            )

    def reset(self) -> None:
        """Set the shadows to the weights."""
        for shadow, weight in zip(self.shadows, self._sources, strict=True):
            shadow.assign(weight)

    def swap(self) -> None:
        """Exchange the weights and their shadows."""
        for shadow, weight in zip(self.shadows, self._sources, strict=True):
            raw_weight = tf.identity(weight)
            weight.assign(shadow)
            shadow.assign(raw_weight)

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """Give the model its EMA weights within the context."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
