"""An experiment: what defines a run."""

import dataclasses
from typing import Any, Self

from glow_tf.config.checks import Count, require
from glow_tf.config.data import DataConfig
from glow_tf.config.model import ModelConfig
from glow_tf.config.records import InitialWeights
from glow_tf.config.training import TrainingConfig
from glow_tf.counts import counted
from glow_tf.fields import check_fields

MAX_BATCH_VALUES = 2**31 - 1
"""The greatest number of values in a batch of images: TensorFlow's kernels count them in 32 bits."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A model, its data and its training: the contents of a preset and of a run's configuration file.

    Example:
        >>> model = ModelConfig(image_shape=(8, 8, 1), levels=2, depth=4, width=64)
        >>> experiment = Experiment(model, DataConfig("bundled:digits"), TrainingConfig(batch_size=64))
        >>> Experiment.from_dict(experiment.to_dict()) == experiment
        True
    """

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    name: str = "custom"
    """Name of the preset from which the experiment comes."""
    about: str = ""
    """One line: the data set, the size, and the source of its numbers."""
    sample_every: Count | None = None
    """Epochs between sample sheets, unless the options of the run set them; None: only at the end."""
    initial_weights: InitialWeights | None = None
    """Weights from which the training starts; None: an initialization from data."""

    def __post_init__(self) -> None:
        if isinstance(self.initial_weights, dict):  # of a configuration file
            object.__setattr__(self, "initial_weights", InitialWeights(**self.initial_weights))
        check_fields(self)
        require(
            not self.model.classes or self.data.labels,
            f"classes={self.model.classes} makes the model conditional, so the data needs labels=True.",
        )
        self._check_batches()

    def _check_batches(self) -> None:
        """Raise a `ConfigError` if TensorFlow cannot hold a batch of so many images."""
        most, shape = MAX_BATCH_VALUES // self.model.dims, "x".join(map(str, self.model.image_shape))
        for name in ("batch_size", "init_images"):
            count = getattr(self.training, name) or 0  # None is derived, and small
            require(count <= most, f"{name}: expected at most {counted(most, 'image')} of {shape}, got {count:,}.")

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries that JSON can store."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the experiment from the dictionaries that `to_dict` returned."""
        parts = {"model": ModelConfig, "data": DataConfig, "training": TrainingConfig}
        return cls(**{k: parts[k](**v) if k in parts else v for k, v in values.items()})
