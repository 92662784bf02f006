"""The command that trains a Glow: `python train.py`."""

import dataclasses
import functools
import json
import pathlib
import sys
from typing import Annotated, TypeVar

import tyro

from glow_tf import presets
from glow_tf.cli import parsing, start
from glow_tf.cli.command import run_command, start_tensorflow
from glow_tf.cli.starting_experiment import starting_experiment
from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, SplitRecord, TrainingConfig

Data = TypeVar("Data", bound=DataConfig)

NAME = start.program_name("train")

HELP = f"""presets:
{presets.table()}

--init-from RUN starts from the weights of another run, and without --preset from its configuration.
The same command in the same folder resumes where it stopped, and so does --run-dir alone with the folder of an
earlier run; Ctrl-C and SIGTERM save and stop.
"""


@dataclasses.dataclass(frozen=True)
class DataOptions(DataConfig):
    """The source of the images and their processing before quantization."""

    # The run folder keeps the record; no option sets it.

    split_record: Annotated[SplitRecord | None, tyro.conf.Fixed, tyro.conf.Suppress] = None


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Arguments of the command line: a preset, and any field of its configuration."""

    preset: str
    """Name of the preset from which to start (listed below)."""
    print_config: bool
    """Print the configuration and stop."""
    config: pathlib.Path | None
    """Configuration file instead of a preset: output of --print-config, or the config.json of a run."""
    model: ModelConfig
    data: DataOptions
    training: TrainingConfig
    run: RunOptions


def parse(arguments: list[str]) -> tuple[Experiment, RunOptions, bool]:
    """Parse a command line.

    Args:
        arguments: words of the command line.

    Returns:
        `(experiment, options, print_config)`; the last is True if the command only prints the configuration.
    """
    first = starting_experiment(arguments)
    parse_all = functools.partial(
        parsing.parse,
        Annotated[Arguments, tyro.conf.OmitArgPrefixes],
        arguments,
        default=Arguments(
            preset=first.name,
            print_config=False,
            config=None,
            model=first.model,
            data=_as_type(first.data, DataOptions),
            training=first.training,
            run=RunOptions(),
        ),
        prog=NAME,
        description="Train a Glow. Any field of the configuration is an option.",
    )
    try:
        args = parse_all()
    finally:
        if {"-h", "--help"} & set(arguments):
            print(HELP)  # here, because tyro would make one paragraph of the table
    data = _as_type(args.data, DataConfig)
    experiment = dataclasses.replace(first, model=args.model, data=data, training=args.training)
    return experiment, args.run, args.print_config


def _as_type(config: DataConfig, kind: type[Data]) -> Data:
    return kind(**{field.name: getattr(config, field.name) for field in dataclasses.fields(config)})


def describe_anchored(experiment: Experiment) -> str:
    """Describe the values that the anchor rule derives where the configuration has null; empty if it has none."""
    training, anchored = experiment.training, experiment.training.anchored(experiment.model.image_shape)
    names = [field.name for field in dataclasses.fields(training) if getattr(training, field.name) is None]
    values = [f"{name} {getattr(anchored, name):g}" for name in names if getattr(anchored, name) is not None]
    return f"where null is printed, the anchor rule gives {', '.join(values)}." if values else ""


def main(arguments: list[str]) -> int:
    """Run the command with the words of a command line; return the exit code."""
    experiment, options, print_config = parse(arguments)
    if print_config:
        # As it is, so that a change of the file changes what the anchor rule derives from it.
        print(json.dumps(experiment.to_dict(), indent=2))
        if derived := describe_anchored(experiment):
            print(derived, file=sys.stderr)
        return 0
    start_tensorflow()
    from glow_tf.training import session

    return session.run(experiment, options, print_line=print)


if __name__ == "__main__":
    run_command(main, NAME)
