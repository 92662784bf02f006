"""The command `python evaluate.py`: measure a trained Glow and draw its results."""

import itertools
import os

import tyro

from glow_tf import presets
from glow_tf.cli import parsing, start
from glow_tf.cli.command import rename_options, run_command, start_tensorflow
from glow_tf.errors import ConfigError, did_you_mean

NAME = start.program_name("evaluate")
DESCRIPTION = f"""Evaluate a trained Glow: a run folder, a .keras file with --data, or a preset with weights.

`{NAME} RUN` alone gives the report. Pictures and numbers (JSON) go to RUN/evaluation; nothing else in the run folder is
touched. `{NAME} SUBCOMMAND --help` lists the options of one."""

COMMANDS = (
    *("report", "bits", "samples", "reconstruct", "interpolate", "attributes", "compare", "encode", "accuracy"),
    "frechet",
)
"""Names of the sub-commands, which are functions of `glow_tf.evaluation.commands`."""

RENAMED_COMMANDS = {"judge": "accuracy"}
RENAMED_OPTIONS = {"--average": "--ema", "--no-average": "--no-ema", "--judged": "--measured"}


def main(arguments: list[str]) -> None:
    """Run the sub-command that a command line names; if the first word is a run folder, run `report`."""
    arguments = rename_options(arguments, RENAMED_OPTIONS)
    arguments = [*rename_options(arguments[:1], RENAMED_COMMANDS), *arguments[1:]]
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        _check_is_run(*arguments[:2])
        arguments = ["report", *arguments]
    arguments = _rename_counts(arguments)
    start_tensorflow()
    from glow_tf.evaluation import commands

    config = (tyro.conf.OmitArgPrefixes,)
    run = parsing.parse_subcommand(commands.COMMANDS, arguments, prog=NAME, description=DESCRIPTION, config=config)
    run()


def _rename_counts(arguments: list[str]) -> list[str]:
    """Return the words of a command line with `--images N`, the old form of `--shown N`, replaced; warn about it."""
    if arguments[:1] and arguments[0] not in ("report", "reconstruct", "attributes"):
        return arguments
    words = [part for word in arguments for part in ((word.split("=", 1)) if word.startswith("--images=") else [word])]
    for i, (word, following) in enumerate(itertools.pairwise(words)):
        if word == "--images" and following.isdecimal() and not os.path.exists(following):
            return [*words[:i], *rename_options(["--images"], {"--images": "--shown"}), *words[i + 1 :]]
    return arguments


def _check_is_run(word: str, following: str = "-") -> None:
    """Raise a `ConfigError` if the first word is not a file and looks like a sub-command.

    Args:
        word: the first word of a command line, which is not a sub-command.
        following: the second word.
    """
    hint = did_you_mean(word, COMMANDS)
    if (hint or not following.startswith("-")) and not (os.path.exists(word) or word in presets.PRESETS):
        names = ", ".join(COMMANDS)
        raise ConfigError(f"expected one of {names}, or a run folder, .keras file or preset, got {word!r}.{hint}")


if __name__ == "__main__":
    run_command(main, NAME)
