"""The experiment that the options of `train.py` change: that of a preset or a run, or one that fits the images."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

from glow_tf import presets
from glow_tf.cli.command import start_tensorflow
from glow_tf.config import Experiment
from glow_tf.errors import ConfigError
from glow_tf.experiment_file import FORMAT, read_experiment
from glow_tf.run_files import RunFiles


def starting_experiment(arguments: Sequence[str]) -> Experiment:
    """Return the `Experiment` that the options change.

    It comes from the preset, the file in --config, the run in --run-dir or the run in --init-from, or it is chosen to
    fit the images. TensorFlow is started if weights or images must be read.

    Args:
        arguments: words of the command line.
    """
    options = _parse_some(arguments)
    if options.preset is not None and options.config is not None:
        raise ConfigError("expected either --preset or --config, got both; leave one of them out.")
    if options.preset is not None:
        return presets.get(options.preset)
    if options.config is not None:
        experiment = read_experiment(os.path.expanduser(options.config), default_format=FORMAT)
        # The record of a run's splits belongs to that run.
        return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, split_record=None))
    if options.run_dir and RunFiles(pathlib.Path(options.run_dir)).exists:
        return RunFiles.open(options.run_dir).experiment()
    if options.init_from:
        earlier = None if options.run_dir else _earlier_experiment(Experiment.name)
        if earlier:
            return earlier
        start_tensorflow()
        from glow_tf.training import initial_weights

        return initial_weights.starting_experiment(options.init_from)
    default = presets.get(presets.DEFAULT)
    if options.source in (None, default.data.source) or {"-h", "--help"} & set(arguments):
        return default
    return _experiment_of_source(options.source, options.run_dir, options.image_shape)


def _parse_some(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the values of the options that decide where to start; errors are found later, when all are parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--preset", "--config", "--run-dir", "--source", "--init-from"):
        parser.add_argument(name, nargs="?")
    parser.add_argument("--image-shape", nargs="*")
    # Underscores in the name of an option are read as hyphens, here as by the parser of all words.
    words = [word.partition("=") for word in arguments]
    words = [(name.replace("_", "-") if name.startswith("--") else name) + rest + value for name, rest, value in words]
    return parser.parse_known_args(words)[0]


def _earlier_experiment(name: str) -> Experiment | None:
    """Return the `Experiment` of the run in `runs/NAME` under that name, whose folder the training takes, or None."""
    earlier = RunFiles(pathlib.Path("runs") / name)
    return dataclasses.replace(earlier.experiment(), name=name) if earlier.exists else None


def _experiment_of_source(source: str, run_dir: str | None, image_shape: Sequence[str] | None) -> Experiment:
    """Return the `Experiment` of a run that already trains on the source, or one that fits the images; say why."""
    start_tensorflow()
    from glow_tf.training import own_images

    earlier = None if run_dir else _earlier_experiment(own_images.run_name(source))
    if earlier and earlier.data.source == source:
        return earlier
    shape = None
    if image_shape and len(image_shape) == 3:
        with contextlib.suppress(ValueError):  # the parser of all words says what is wrong
            height, width, channels = map(int, image_shape)
            shape = height, width, channels
    experiment, reasons = own_images.choose_experiment(source, shape)
    print(reasons, file=sys.stderr)
    return experiment
