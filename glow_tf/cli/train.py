"""The command that trains a Glow: `python train.py`."""

import argparse
import dataclasses
import pathlib
import warnings
from typing import Annotated

import tyro

from glow_tf import presets
from glow_tf.cli import parsing
from glow_tf.cli.command import run_command
from glow_tf.config import DataConfig, ModelConfig, RunOptions, TrainingConfig
from glow_tf.runs import Run
from glow_tf.training import session

NAME = "train.py"

HELP = f"""presets:
{presets.table()}

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
    """Return the `Experiment` that the options change: the preset's, or that of the run in --run-dir."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--preset", "--run-dir"):
        parser.add_argument(name, nargs="?")  # that a value is missing is found when all words are parsed
    # Underscores in the name of an option are read as hyphens, here as by the parser of all words.
    words = [word.partition("=") for word in arguments]
    words = [(name.replace("_", "-") if name.startswith("--") else name) + rest + value for name, rest, value in words]
    options = parser.parse_known_args(words)[0]
    if options.preset is None and options.run_dir and Run(pathlib.Path(options.run_dir)).exists:
        return Run.open(options.run_dir).experiment()
    return presets.get(presets.DEFAULT if options.preset is None else options.preset)


def warn_of_other_images(experiment, source):
    """Warn that the model of the default preset, which nobody chose, takes other images than those of the source.

    Args:
        experiment: an `Experiment`, whose source is not the preset's own.
        source: its `Source`, opened.
    """
    height, width, channels = experiment.model.image_shape
    source = source.uncached
    image = source.decode(source.read(source.rows_of("train")[0]))["image"]
    losses = [f"{image.shape[0]}x{image.shape[1]} pixels"] * (tuple(image.shape[:2]) != (height, width))
    losses += ["color"] * (image.shape[2] > channels)
    if losses:
        warnings.warn(
            f"the first image of {source.name} has {' and '.join(losses)}, but the model is that of the default preset "
            f"{experiment.name}, for {height}x{width} pixels in {channels} channel"
            f"{'s' if channels > 1 else ''}; --preset photos, or --image-shape H W C, keeps more of your images.",
            stacklevel=2,
        )


def _has_option(arguments, *names):
    """Return whether one of the options is among the words of a command line."""
    return any(word.partition("=")[0].replace("_", "-") in names for word in arguments)


def main(arguments):
    """Run the command with a list of words; return the exit code."""
    experiment, options, print_config = parse(arguments)
    if print_config:
        print(session.format_config(experiment))
        return 0
    is_default_model = _has_option(arguments, "--source") and not _has_option(arguments, "--preset", "--image-shape")
    return session.run(experiment, options, check_source=warn_of_other_images if is_default_model else None)


if __name__ == "__main__":
    run_command(main, NAME)
