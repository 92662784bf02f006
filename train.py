"""Trains a Glow: `python train.py` takes the default preset, `--help` lists the others and every option."""

import argparse
import dataclasses
import os
import pathlib
from typing import Annotated

os.environ["GLOW_TF_COMMAND"] = "1"  # a quiet start, see glow_tf/quiet.py

import tyro

from glow_tf import presets
from glow_tf.config import DataConfig, ModelConfig, RunOptions, TrainingConfig
from glow_tf.errors import run_command
from glow_tf.runs import Run
from glow_tf.training import session

HELP = f"""presets:
{presets.table()}

The same command in the same folder goes on where it was left, and so does --run-dir alone with the folder of an
earlier run; Ctrl-C and SIGTERM save and stop.
"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What `train.py` takes from the command line: a preset, and any field of its configuration."""

    preset: str
    """Name of the preset to start from (listed above)."""
    print_config: bool
    """Print the configuration and stop."""
    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    run: RunOptions


def parse(arguments):
    """The experiment and the run options of a command line."""
    chosen = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    chosen.add_argument("--preset")
    chosen.add_argument("--run-dir", type=pathlib.Path)
    chosen = chosen.parse_known_args(arguments)[0]
    if chosen.preset is None and chosen.run_dir and Run(chosen.run_dir).config_path.is_file():
        start = Run.open(chosen.run_dir).experiment()
    else:
        start = presets.get(chosen.preset or presets.DEFAULT)
    if {"-h", "--help"} & set(arguments):
        print(HELP)  # here, because tyro would make one paragraph of the table
    args = tyro.cli(
        Annotated[Arguments, tyro.conf.OmitArgPrefixes],
        default=Arguments(start.name, False, start.model, start.data, start.training, RunOptions()),
        args=arguments,
        prog="train.py",
        description="Trains a Glow. Any field of the configuration is an option.",
    )
    experiment = dataclasses.replace(start, model=args.model, data=args.data, training=args.training)
    return experiment, args.run, args.print_config


def main(arguments):
    experiment, options, print_config = parse(arguments)
    if print_config:
        print(session.format_config(experiment))
        return 0
    return session.run(experiment, options)


if __name__ == "__main__":
    run_command(main, "train.py")
