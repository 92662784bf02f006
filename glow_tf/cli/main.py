"""The command `glow-tf` of an installed package: all commands of this project under one name."""

import glow_tf
from glow_tf.cli.command import run_command, run_module
from glow_tf.cli.start import CONSOLE_COMMAND
from glow_tf.errors import ConfigError, did_you_mean

COMMANDS = {
    "train": "train a Glow: a preset, or your own images",
    "evaluate": "measure and draw what a trained Glow does",
    "export": "write a trained Glow as a SavedModel",
    "convert": "convert a checkpoint of the original code (openai/glow) to a run folder",
    "demo": "open a page in the browser: samples, blends, attributes",
}
"""The commands and their help; the module `glow_tf.cli.NAME` holds command NAME."""

HELP = f"""usage: {CONSOLE_COMMAND} COMMAND [OPTIONS]

{chr(10).join(f"  {name:9} {text}" for name, text in COMMANDS.items())}

{CONSOLE_COMMAND} COMMAND --help lists the options of one; --version prints the version. For completion in a shell write
`{CONSOLE_COMMAND} COMMAND --tyro-print-completion bash` (or zsh, tcsh) to the file that your shell reads."""


def main(arguments: list[str]) -> None:
    """Run the command that the first word names.

    Args:
        arguments: words of the command line.
    """
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(HELP)
    elif name == "--version":
        print(f"{CONSOLE_COMMAND} {glow_tf.__version__}")
    elif name in COMMANDS:
        run_module(name, rest)
    else:
        raise ConfigError(
            f"expected one of {', '.join(COMMANDS)}, got {name!r}; {CONSOLE_COMMAND} --help describes them."
            + did_you_mean(name, COMMANDS)
        )


def run() -> None:
    """Run the command with the words of this process's command line."""
    run_command(main, CONSOLE_COMMAND)
