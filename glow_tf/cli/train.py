"""The command that trains a Glow: `python train.py`."""

import argparse
import dataclasses
import pathlib
import sys
from typing import Annotated

import tyro

from glow_tf import presets
from glow_tf.cli import parsing
from glow_tf.cli.command import run_command
from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.runs import Run
from glow_tf.training import initial_weights, own_images, session

NAME = "train.py"

HELP = f"""presets:
{presets.table()}

--init-from RUN starts from the weights of another run, and without --preset from its configuration.
The same command in the same folder resumes where it stopped, and so does --run-dir alone with the folder of an
earlier run; Ctrl-C and SIGTERM save and stop.
"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Arguments of the command line: a preset, and any field of its configuration."""

    preset: str
    """Name of the preset to start from (listed above)."""
    print_config: bool
    """Print the configuration and stop."""
    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    run: RunOptions


def parse(arguments):
    """Parse a command line.

    Args:
        arguments: list of words.

    Returns:
        `(experiment, options, print_config)`: an `Experiment`, `RunOptions`, and whether to print the configuration
        and stop.
    """
    start = _starting_experiment(arguments)
    if {"-h", "--help"} & set(arguments):
        print(HELP)  # here, because tyro would make one paragraph of the table
    args = parsing.parse(
        Annotated[Arguments, tyro.conf.OmitArgPrefixes],
        arguments,
        default=Arguments(start.name, False, start.model, start.data, start.training, RunOptions()),
        prog=NAME,
        description="Train a Glow. Any field of the configuration is an option.",
    )
    experiment = dataclasses.replace(start, model=args.model, data=args.data, training=args.training)
    return experiment, args.run, args.print_config


def _starting_experiment(arguments):
    """Return the `Experiment` that the options change.

    That is the preset's, that of the run in --run-dir, that of the run whose weights are the first, or one that is
    chosen by the images.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--preset", "--run-dir", "--source", "--init-from"):
        parser.add_argument(name, nargs="?")  # that a value is missing is found when all words are parsed
    parser.add_argument("--image-shape", nargs="*")
    # Underscores in the name of an option are read as hyphens, here as by the parser of all words.
    words = [word.partition("=") for word in arguments]
    words = [(name.replace("_", "-") if name.startswith("--") else name) + rest + value for name, rest, value in words]
    options = parser.parse_known_args(words)[0]
    if options.preset is not None:
        return presets.get(options.preset)
    run_dir = options.run_dir or (options.init_from and f"runs/{Experiment.name}")
    if run_dir and Run(pathlib.Path(run_dir)).exists:
        return Run.open(run_dir).experiment()
    if options.init_from:
        return initial_weights.starting_experiment(options.init_from)
    default = presets.get(presets.DEFAULT)
    if options.source in (None, default.data.source) or {"-h", "--help"} & set(arguments):
        return default
    return _experiment_of_source(options.source, options.run_dir, options.image_shape)


def _experiment_of_source(source, run_dir, image_shape):
    """Return the `Experiment` of the run that trains on a source already, or one chosen by the images, and say why."""
    earlier = Run(pathlib.Path("runs") / own_images.run_name(source))
    if not run_dir and earlier.exists and earlier.experiment().data.source == source:
        return earlier.experiment()
    try:
        image_shape = tuple(map(int, image_shape)) if image_shape and len(image_shape) == 3 else None
    except ValueError:
        image_shape = None  # the parser of all words says what is wrong
    experiment, reasons = own_images.choose_experiment(source, image_shape)
    print(reasons, file=sys.stderr)
    return experiment


def main(arguments):
    """Run the command with a list of words; return the exit code."""
    experiment, options, print_config = parse(arguments)
    if print_config:
        print(session.format_config(experiment))
        return 0
    return session.run(experiment, options)


if __name__ == "__main__":
    run_command(main, NAME)
