"""The command `python -m glow_tf.export RUN OUT`: write a trained Glow as a SavedModel."""

import os
import shlex
from typing import Annotated

import tyro

from glow_tf.cli import parsing, start
from glow_tf.cli.command import rename_options, run_command, start_tensorflow
from glow_tf.fields import PathText, TensorFlowPath, check_arguments

NAME = start.program_name("export")


@check_arguments
def command(
    run: Annotated[PathText, tyro.conf.arg(metavar="RUN")],
    out: Annotated[TensorFlowPath, tyro.conf.arg(metavar="OUT")],
    /,
    ema: bool = False,
    overwrite: bool = False,
    litert: bool = False,
) -> None:
    """Write a trained Glow as a SavedModel that TensorFlow alone can load.

    Args:
        run: Run folder, .keras file, or a preset whose weights come with the package.
        out: Folder to write.
        ema: Export a run's EMA weights instead of the raw ones.
        overwrite: Replace the SavedModel at OUT.
        litert: Write a graph whose `encode` and `decode` the LiteRT (TFLite) converter accepts.
    """
    from glow_tf.export import export_model
    from glow_tf.model import Glow

    out = os.path.expanduser(out)
    export_model(Glow.from_preset(run, ema=ema), out, overwrite, litert)
    print(f"{out}: a SavedModel of {run}{', EMA weights' if ema else ''}")
    print(f"look at it: saved_model_cli show --dir {shlex.quote(out)} --all")


def main(arguments: list[str]) -> None:
    """Parse the words of a command line and export."""
    arguments = rename_options(arguments, {"--average": "--ema"})
    run_export = parsing.parse(command, arguments, prog=NAME, config=(tyro.conf.FlagCreatePairsOff,))
    start_tensorflow()
    run_export()


if __name__ == "__main__":
    run_command(main, NAME)
