"""`SealedWeights`: a Keras model whose weights files carry a digest, and which a refused file leaves as it was."""

import os
from typing import TYPE_CHECKING, Any

import keras

from glow_tf.config import ModelConfig
from glow_tf.errors import RunError
from glow_tf.io import stamp
from glow_tf.layers.loading import forget_problems
from glow_tf.weights_file import (
    ENDING,
    FIELDS_OF_TRAINING,
    FIELDS_THAT_MAY_DIFFER,
    check_seal,
    config_differences,
    seal,
)

if TYPE_CHECKING:
    KerasModel = keras.Model
else:
    KerasModel = object  # a type checker reads the mixin as a part of the model


class SealedWeights(KerasModel):
    """Mixin of a Keras model with a `ModelConfig`: `save_weights` and `load_weights`."""

    config: ModelConfig

    def save_weights(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Save the weights as `keras.Model.save_weights` does, with a digest of them in the file."""
        before = stamp(filepath)
        super().save_weights(filepath, *args, **kwargs)
        # Keras writes nothing if a user answers that an existing file is not to be overwritten.
        if str(filepath).endswith(ENDING) and os.path.isfile(filepath) and stamp(filepath) != before:
            seal(filepath, self.config)

    def load_weights(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Load weights as `keras.Model.load_weights` does; a file that is refused leaves the model as it was.

        Args:
            filepath: path of the file.
            *args: other arguments of `keras.Model.load_weights`.
            **kwargs: other arguments of `keras.Model.load_weights`.

        Raises:
            RunError: the numbers in the file are not those that were written, or those of a model of another
                configuration, which would mean something else in this one.
            ValueError: the file holds the weights of another model, or some that are not finite.
        """
        if os.path.isfile(filepath):
            check_seal(filepath)
            self._check_config(filepath)
        forget_problems(self)
        before = self.get_weights()
        try:
            super().load_weights(filepath, *args, **kwargs)
        except BaseException:  # Ctrl-C too
            self.set_weights(before)
            raise

    def _check_config(self, filepath: str | os.PathLike[str]) -> None:
        differences = config_differences(filepath, self.config, (*FIELDS_THAT_MAY_DIFFER, *FIELDS_OF_TRAINING))
        if differences:
            raise RunError(
                f"{filepath} holds the weights of a model of another configuration: this model has {differences}."
            )
