"""Renamed layers under their old names.

They are separate classes, because Keras writes class names into its files: a `.keras` file that was saved with
`Actnorm` names the class in its configuration, and its weights are stored under `layers/actnorm`.
"""

import keras

from glow_tf.layers.actnorm import ActNorm
from glow_tf.layers.sequential import FlowSequential


@keras.saving.register_keras_serializable("glow_tf")
class Actnorm(ActNorm):
    """`ActNorm` under its old name."""


@keras.saving.register_keras_serializable("glow_tf")
class Serial(FlowSequential):
    """`FlowSequential` under its old name."""


OLD_NAMES = {"Actnorm": ("ActNorm", Actnorm), "Serial": ("FlowSequential", Serial)}
"""Old name -> (new name, class under the old name)."""
