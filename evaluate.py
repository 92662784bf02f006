"""Evaluates a trained Glow: `python evaluate.py RUN` gives a short report, `--help` lists the rest."""

import os

os.environ["GLOW_TF_COMMAND"] = "1"  # a quiet start, see glow_tf/quiet.py

import tyro

from glow_tf.errors import run_command
from glow_tf.evaluation.commands import COMMANDS

ABOUT = """Evaluates a trained Glow: a run folder, or a .keras file with --data.

`evaluate.py RUN` alone gives the report. Pictures and numbers (JSON) go to RUN/evaluation; nothing else in the run
folder is touched. `evaluate.py SUBCOMMAND --help` lists the options of one."""


def main(arguments):
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        arguments = ["report", *arguments]
    tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="evaluate.py", description=ABOUT, args=arguments, config=(tyro.conf.OmitArgPrefixes,)
    )


if __name__ == "__main__":
    run_command(main, "evaluate.py")
