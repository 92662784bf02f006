"""The command that trains a Glow: `python train.py`."""

import argparse
import dataclasses
import pathlib
from typing import Annotated

import tyro

from glow_tf import presets
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
    args = tyro.cli(
        Annotated[Arguments, tyro.conf.OmitArgPrefixes],
        default=Arguments(start.name, False, start.model, start.data, start.training, RunOptions()),
        args=arguments,
        prog=NAME,
        description="Train a Glow. Any field of the configuration is an option.",
    )
    experiment = dataclasses.replace(start, model=args.model, data=args.data, training=args.training)
    return experiment, args.run, args.print_config


def _starting_experiment(arguments):
    """Return the `Experiment` that the options change: the preset's, or that of the run in --run-dir."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    parser.add_argument("--run-dir", type=pathlib.Path)
    options = parser.parse_known_args(arguments)[0]
    if options.preset is None and options.run_dir and Run(options.run_dir).exists:
        return Run.open(options.run_dir).experiment()
    return presets.get(options.preset or presets.DEFAULT)


def main(arguments):
    """Run the command with a list of words; return the exit code."""
    experiment, options, print_config = parse(arguments)
    if print_config:
        print(session.format_config(experiment))
        return 0
    return session.run(experiment, options)


if __name__ == "__main__":
    run_command(main, NAME)
