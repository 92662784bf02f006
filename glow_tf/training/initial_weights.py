"""Start a training from the weights of another run or of a file (fine-tuning), instead of an initialization from data.

Only weights are taken: no state of the optimizer, no counters. Weights belong together by the names of the variables.
"""

import dataclasses
import os
import pathlib
import warnings

import tensorflow as tf

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, InitialWeights, ModelConfig, RunOptions
from glow_tf.data.attribute_classes import class_names
from glow_tf.data.labels import differing_classes
from glow_tf.errors import ConfigError, RunError, did_you_mean
from glow_tf.layers.loading import loading_problem
from glow_tf.model import Glow
from glow_tf.model_files import is_preset, packaged_weights
from glow_tf.run_files import require_raw
from glow_tf.runs import Run, is_keras_file, load_keras
from glow_tf.training.fitting_weights import check_meaning, check_shapes, skipped_parts, warn_of_skipped_parts
from glow_tf.weights_file import ENDING, digest_arrays, written_config


def recorded_weights(run: Run, experiment: Experiment, options: RunOptions) -> InitialWeights | None:
    """Return the record of the weights that a training starts from, or None for an initialization from data.

    Args:
        run: the run of the training; if its folder holds a run already, that run's record counts.
        experiment: the experiment that is trained.
        options: the options of the run.

    Raises:
        ConfigError: the run in the folder started otherwise than the options ask for.
    """
    path = options.init_from
    asked = None if path is None else InitialWeights(_absolute(path), options.init_ema)
    if not run.exists:
        if asked is None:  # the digest may be of another run, in an experiment that was read from its folder
            return experiment.initial_weights and dataclasses.replace(experiment.initial_weights, digest=None)
        _locate(asked.path)  # before anything takes time
        return asked
    record = run.experiment().initial_weights
    if asked is not None and (record is None or dataclasses.replace(record, digest=None) != asked):
        raise ConfigError(
            f"{run.path} holds a run that started from {_describe(record)}, not from {_describe(asked)}; leave "
            "--init-from out to resume it, or give another --run-dir."
        )
    return record


def starting_experiment(path: str) -> Experiment:
    """Return the experiment whose options a fine-tuning changes: that of a run folder, or of a file's model.

    A file names no data and no training; these are those of the default preset.

    Args:
        path: run folder, `.keras` or `.weights.h5` file, or name of a preset.

    Raises:
        RunError: there is no such thing, or it cannot be read.
    """
    location = _locate(path)
    if location.is_dir():
        experiment = Run.open(location).experiment()
        data = dataclasses.replace(experiment.data, split_record=None)
        return Experiment(experiment.model, data, experiment.training)
    default = presets.get(path if path in presets.PRESETS else presets.DEFAULT)
    config = load_keras(location).config if is_keras_file(location) else _config_in(location)
    if config is None:
        return Experiment(default.model, default.data, default.training)
    data = dataclasses.replace(default.data, labels=default.data.labels or config.classes > 0)
    return Experiment(config, data, default.training)


def load_initial_weights(model: Glow, record: InitialWeights) -> InitialWeights:
    """Set a model to recorded weights; warn of the layers that only one of both models has.

    Args:
        model: the model that is set.
        record: the record of the weights.

    Returns:
        The record with the digest of the weights.

    Raises:
        RunError: the weights cannot be read, are not those of the record, or do not fit the model.

    Example:
        >>> source, model = (Glow(ModelConfig((8, 8, 1), bits, levels=1, depth=1, width=4)) for bits in (8, 5))
        >>> source.save_weights("eight_bits.weights.h5")
        >>> record = load_initial_weights(model, InitialWeights("eight_bits.weights.h5"))
    """
    location = _locate(record.path)
    with tf.device("CPU:0"):  # an accelerator has room for one model
        source = _load_source(location, record.ema, model.config)
    arrays = {v.path: v.numpy() for v in source.weights}
    digest = digest_arrays(arrays)
    if record.digest not in (None, digest):
        raise RunError(
            f"{record.path} holds other weights than when the run was started from them; bring the first ones back, or "
            "give another --run-dir."
        )
    check_meaning(record, source.config, model.config)
    shapes = {v.path: tuple(v.shape) for v in model.weights}
    source_shapes = {name: array.shape for name, array in arrays.items()}
    skipped = skipped_parts(source_shapes, shapes)
    check_shapes(record, source_shapes, shapes, skipped)
    for variable in model.weights:
        if not variable.path.startswith(skipped):
            variable.assign(arrays[variable.path])
    warn_of_skipped_parts(record, shapes, skipped)
    return dataclasses.replace(record, digest=digest)


def warn_of_other_classes(record: InitialWeights, data: DataConfig) -> None:
    """Warn if labels meant other classes in the run that the weights of a conditional model are from.

    Args:
        record: the record of the weights; a file does not say what its labels meant.
        data: the configuration of the training, with the record of its splits.
    """
    location = _locate(record.path)
    if not location.is_dir():
        return
    theirs, ours = _class_names(Run.open(location).experiment().data), _class_names(data)
    if theirs and ours and (differences := differing_classes(theirs, ours)):
        label, then, now = differences[0]
        warnings.warn(
            f"{record.path}: label {label} was {then} there and is {now} here; its weights start as those of the other "
            "class.",
            stacklevel=3,
        )


def _class_names(data: DataConfig) -> tuple[str, ...] | None:
    if data.class_attributes:
        return class_names(data.class_attributes)
    return data.split_record and data.split_record.classes


def _absolute(path: str) -> str:
    """Return an absolute path, or the name of a preset."""
    if is_preset(path):
        return path
    return os.path.abspath(os.path.expanduser(path))


def _locate(path: str) -> pathlib.Path:
    """Return the path of a run folder or of a file of weights; raise a `RunError` if there is none."""
    if is_preset(path):
        packaged = packaged_weights(str(path))
        if packaged is not None:
            return packaged
        raise RunError(
            f"no weights of the preset {path} come with this glow_tf; give a run folder, or a .keras or .weights.h5 "
            "file."
        )
    location = pathlib.Path(os.path.expanduser(path))
    if location.is_dir() or (location.is_file() and (is_keras_file(location) or location.name.endswith(f".{ENDING}"))):
        return location
    if os.path.lexists(location):
        raise RunError(f"{path} is no run folder and no .keras or .weights.h5 file, from which a training can start.")
    hint = did_you_mean(path, presets.PRESETS)
    raise RunError(f"{path}: there is no such run folder, .keras or .weights.h5 file, and no such preset.{hint}")


def _load_source(location: pathlib.Path, ema: bool, config: ModelConfig) -> Glow:
    """Load the `Glow` of a run folder or of a file; a file that says nothing has the configuration `config`."""
    if location.is_dir():
        return Run.open(location).model(ema=ema)
    require_raw(location, ema)
    if is_keras_file(location):
        return load_keras(location)
    model = Glow(_config_in(location) or config)
    try:
        model.load_weights(location)
    except Exception as error:  # h5py and Keras raise many kinds for a damaged or foreign file
        raise RunError(f"{location} does not hold the weights of such a model: {loading_problem(error)}") from error
    return model


def _config_in(path: pathlib.Path) -> ModelConfig | None:
    """Return the configuration in a `.weights.h5` file, or None if there is none."""
    values = written_config(path)
    try:
        return ModelConfig(**values) if values else None
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is of a model that this glow_tf does not know: {error}") from error


def _describe(record: InitialWeights | None) -> str:
    if record is None:
        return "an initialization from data"
    return f"the {'EMA ' if record.ema else ''}weights of {record.path}"
