"""Trained models in files: weights that come with the package, run folders, and `.keras` files.

The folder of the packaged weights holds, for a preset,

| | |
|---|---|
| `NAME.weights.h5` | the weights |
| `NAME.attributes.npz` | attribute directions of these weights, and a few test images (see `packaged_attributes`) |
| `NAME.json` | how the weights were trained, and how good they are |
"""

import os
import pathlib
import warnings
from typing import TYPE_CHECKING, Any, Self

import keras

from glow_tf import presets
from glow_tf.array_files import ArrayArchive, is_array_file
from glow_tf.config import Experiment, ModelConfig
from glow_tf.errors import ConfigError, RunError, did_you_mean
from glow_tf.layers.loading import loading_problem
from glow_tf.run_files import RunFiles, require_raw
from glow_tf.types import Config
from glow_tf.weights_file import (
    ENDING,
    FIELDS_OF_TRAINING,
    FIELDS_THAT_MAY_DIFFER,
    check_config,
    check_seal,
    written_digest,
)

PACKAGED_WEIGHTS = pathlib.Path(presets.__file__).parent / "weights"
"""Folder of the weights that come with the package."""
ATTRIBUTES_ENDING = "attributes.npz"


class FromPreset:
    """Mixin of a model with a `ModelConfig`: `from_preset`."""

    if TYPE_CHECKING:
        config: ModelConfig

        compute_dtype: str

        def __init__(self, config: ModelConfig | Config | None = None, **kwargs: Any) -> None: ...

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], *, load_weights: bool = True, ema: bool = False) -> Self:
        """Return the model of a preset, with the weights that come with the package, or of a run folder or file.

        Args:
            preset: name of a preset, such as `"digits"`, or path of a run folder or `.keras` file. A run folder of the
                name of a preset counts first; `"./digits"` is a path, never a preset.
            load_weights: if False, return a new model of the same configuration.
            ema: load the EMA weights of a run folder instead of the raw ones; only a run folder has both.

        Raises:
            ConfigError: there is no such preset or path, or no weights come with the preset.
            RunError: the run folder or the file is damaged, or `ema` is True and it holds no EMA weights.

        Example:
            >>> from glow_tf import Glow
            >>> glow = Glow.from_preset("mnist5k", load_weights=False)
            >>> glow.image_shape
            (32, 32, 1)
        """
        path = pathlib.Path(os.path.expanduser(preset))
        if is_keras_file(path):
            require_raw(path, ema and load_weights)
            model = load_keras_file(path, cls)
            return model if load_weights else cls(model.config, dtype=model.compute_dtype)
        if path.is_dir() and not is_preset(preset):
            run = RunFiles.open(path)
            config, weights = run.experiment().model, run.weights_to_load(ema=ema) if load_weights else None
        else:
            config = find_preset(str(preset)).model
            require_raw(preset, ema and load_weights)
            weights = packaged_weights(str(preset)) if load_weights else None
            if load_weights and weights is None:
                raise ConfigError(
                    f"no weights of the preset {preset} come with glow_tf, only those of "
                    f"{', '.join(filter(packaged_weights, presets.PRESETS)) or 'none'}; train it, or take "
                    "load_weights=False for a new model."
                )
        model = cls(config)
        if weights is not None:
            load_weights_file(model, weights)
        return model


def find_preset(name: str) -> Experiment:
    """Return the preset of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in presets.PRESETS:
        hint = did_you_mean(name, presets.PRESETS)
        raise ConfigError(f"expected the name of a preset, a run folder or a .keras file, got {name!r}.{hint}")
    return presets.get(name)


def packaged_weights(name: str) -> pathlib.Path | None:
    """Return the path of the weights of a preset that come with the package, or None if there are none."""
    path = PACKAGED_WEIGHTS / f"{name}.{ENDING}"
    return path if path.is_file() else None


def is_preset(path: str | os.PathLike[str]) -> bool:
    """Return whether a text, where a model is expected, names a preset; a run folder of that name counts first.

    Other files and folders of that name hold no model, and do not count. `./digits` is a path, never a preset.
    """
    run = RunFiles(pathlib.Path(path))
    return str(path) in presets.PRESETS and not (run.exists or run.results)  # results: of a damaged run folder


def is_packaged(path: str | os.PathLike[str]) -> bool:
    """Return whether a text, where a model is expected, names a preset with packaged weights (see `is_preset`)."""
    return is_preset(path) and packaged_weights(str(path)) is not None


def names_attributes(path: str | os.PathLike[str]) -> bool:
    """Return whether a text names the attributes of a preset; a file of arrays of that name counts first."""
    return str(path) in presets.PRESETS and not is_array_file(path)


def packaged_attributes(name: str) -> pathlib.Path | None:
    """Return the path of the attributes of a preset that come with the package, or None if there are none.

    The arrays of the file: `names` `[a]`, `directions` float `[a, D]`, `weights` the digest of the weights file;
    `images` uint8 `[n, H, W, C]`, test images, with `tags` bool `[n, a]` and `credits`, their author and license.

    Raises:
        DataError: the file is damaged.
        RunError: the directions are those of other weights.
    """
    path, weights = PACKAGED_WEIGHTS / f"{name}.{ATTRIBUTES_ENDING}", packaged_weights(name)
    if weights is None or not path.is_file():
        return None
    with ArrayArchive(path) as archive:
        digest = str(archive["weights"]) if "weights" in archive else None
    if digest is None or digest != written_digest(weights):
        raise RunError(f"{path} holds attributes of other weights than {weights.name}; install glow_tf again.")
    return path


def warn_of_other_weights(attributes: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Warn if attributes of a preset are used with another model than that of the preset's packaged weights.

    Args:
        attributes: path of a file of attributes, or name of a preset.
        path: path of the model, or name of its preset.
    """
    if names_attributes(attributes) and not (is_packaged(path) and str(path) == str(attributes)):
        warnings.warn(
            f"the attributes of {attributes} are directions in the latents of its packaged weights, and {path} has "
            "other weights.",
            stacklevel=3,
        )


def load_weights_file(model: Any, path: pathlib.Path) -> None:
    """Set a model to the weights in a file.

    Args:
        model: a model with a `ModelConfig`.
        path: path of a `.weights.h5` file.

    Raises:
        RunError: the file is damaged, or of another configuration.
    """
    check_config(path, model.config, (*FIELDS_THAT_MAY_DIFFER, *FIELDS_OF_TRAINING))
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds for a damaged or foreign file
        raise RunError(f"{path} does not hold this configuration's weights: {loading_problem(error)}") from error


def is_keras_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a `.keras` file, which a run folder of such a name is not."""
    path = pathlib.Path(path)
    return path.suffix == ".keras" and not path.is_dir()


def load_keras_file(path: str | os.PathLike[str], kind: type) -> Any:
    """Return the model in a `.keras` file.

    Args:
        path: path of the file.
        kind: class of the model.

    Raises:
        RunError: the file is missing or damaged, or holds another model.
    """
    if not pathlib.Path(path).is_file():
        raise RunError(f"{path}: no such file.")
    try:
        check_seal(path)
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds for a damaged or foreign file
        raise RunError(f"{path} cannot be read as a Keras model: {loading_problem(error)}") from error
    if not isinstance(model, kind):
        raise RunError(f"{path} holds a {type(model).__name__}, expected a {kind.__name__}.")
    return model
