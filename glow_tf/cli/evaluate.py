"""The command `python evaluate.py`: measure and draw what a trained Glow does."""

import tyro

from glow_tf.cli.command import rename_options, run_command
from glow_tf.evaluation.commands import COMMANDS

NAME = "evaluate.py"
DESCRIPTION = """Evaluate a trained Glow: a run folder, or a .keras file with --data.

`evaluate.py RUN` alone gives the report. Pictures and numbers (JSON) go to RUN/evaluation; nothing else in the run
folder is touched. `evaluate.py SUBCOMMAND --help` lists the options of one."""

RENAMED_COMMANDS = {"judge": "accuracy"}
RENAMED_OPTIONS = {"--average": "--ema", "--no-average": "--no-ema", "--judged": "--measured"}


def main(arguments):
    """Run the sub-command in the words of a command line; a run folder as the first word stands for `report`."""
    arguments = rename_options(arguments, RENAMED_OPTIONS)
    arguments = [*rename_options(arguments[:1], RENAMED_COMMANDS), *arguments[1:]]
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        arguments = ["report", *arguments]
    tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog=NAME, description=DESCRIPTION, args=arguments, config=(tyro.conf.OmitArgPrefixes,)
    )


if __name__ == "__main__":
    run_command(main, NAME)
