"""Open a trained model and its data: those of a run folder, of a `.keras` file, or of a preset with its weights."""

import dataclasses
import os
import pathlib

import tensorflow as tf

from glow_tf import presets
from glow_tf.config import SOURCE_KINDS, DataConfig
from glow_tf.errors import ConfigError
from glow_tf.evaluation import moved_data
from glow_tf.evaluation.file_names import file_word, file_words
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.model import Glow
from glow_tf.model_files import is_packaged
from glow_tf.runs import Run, is_keras_file, load_model
from glow_tf.training import devices

FITS = ("exact", "pad", "resize", "crop")
"""Values of `--fit`, which are parts of the names of folders."""


def open_context(
    target: TargetOptions | pathlib.Path | str, strategy: tf.distribute.Strategy | None = None
) -> EvaluationContext:
    """Open a trained model and its data.

    Args:
        target: the options, or the path of a run folder.
        strategy: the `tf.distribute` strategy of the models; None: that of the option `devices`.

    Raises:
        ConfigError: a `.keras` file comes without a source of images.
        RunError: the path is no run folder or `.keras` file that can be read, or EMA weights are asked of a file.
    """
    target = target if isinstance(target, TargetOptions) else TargetOptions(str(target))
    path, model, experiment = pathlib.Path(os.path.expanduser(target.path)), None, None
    model_strategy = strategy or devices.evaluation_strategy(target.devices)
    if is_keras_file(path) or is_packaged(target.path):
        with model_strategy.scope():
            model, own_data = _open_file(target)
        config, out = model.config, path.with_name(path.stem + "_evaluation")
    else:
        run = Run.open(path)
        experiment = run.experiment()
        own_data, config, out = experiment.data, experiment.model, run.evaluation
    data = _data(target, own_data, bool(config.classes))
    if target.out is None:
        out /= _folder_name(target, own_data, data)
    else:
        out = pathlib.Path(os.path.expanduser(target.out))
    cache_options = dict(cache=target.cache, cache_dir=target.cache_dir)
    return EvaluationContext(path, data, experiment, out, target.ema, model, model_strategy, cache_options)


def _open_file(target: TargetOptions) -> tuple[Glow, DataConfig | None]:
    """Return the model of a `.keras` file or of a preset, and the data of the preset's training; of a file, None."""
    if is_packaged(target.path):
        return Glow.from_preset(target.path, ema=target.ema), presets.get(target.path).data
    return load_model(target.path, ema=target.ema), None


def _data(target: TargetOptions, own_data: DataConfig | None, labels: bool) -> DataConfig:
    """Return the configuration of the images to evaluate on.

    Args:
        target: the options.
        own_data: that of the model's training, or None where it is not known.
        labels: the model needs labels.

    Raises:
        ConfigError: neither names a source.
    """
    if own_data is not None and target.data in (None, own_data.source):
        data = own_data
    elif target.data is None:
        raise ConfigError(f"{target.path} does not say what it was trained on; give --data, such as bundled:digits.")
    elif own_data is not None:
        data = moved_data.move(own_data, target.data, labels)
    else:
        data = DataConfig(target.data, labels=labels)
    names = "class_attributes", "fit", "on_damaged"
    return dataclasses.replace(data, **{name: value for name in names if (value := getattr(target, name))})


def _folder_name(target: TargetOptions, own_data: DataConfig | None, data: DataConfig) -> str:
    """Return the folder of results that are not of the raw weights and the model's own data, else ""."""
    words = ["ema"] if target.ema else []
    is_other_source = own_data is None or data.source != own_data.source
    if is_other_source:
        looks_fitted = data.source.endswith(tuple(f"_{fit}" for fit in FITS))
        words.append(file_word(data.source, checksum=looks_fitted))
    if target.fit and (own_data is None or target.fit != own_data.fit):
        words.append(target.fit)
    if target.class_attributes and (own_data is None or target.class_attributes != own_data.class_attributes):
        looks_like_part = target.class_attributes[0] in ("ema", *FITS, *SOURCE_KINDS)
        words.append(file_words(target.class_attributes, checksum=is_other_source or looks_like_part))
    return "_".join(words)
