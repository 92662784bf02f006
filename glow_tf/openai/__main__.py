"""Run `python -m glow_tf.convert` under its old name, `python -m glow_tf.openai`, with a warning."""

from glow_tf.cli import convert
from glow_tf.cli.command import run_command
from glow_tf.deprecation import warn_renamed

OLD_NAME = "python -m glow_tf.openai"


def main(arguments: list[str]) -> None:
    """Warn that the command is renamed, then run it."""
    # Attributed to this module, `__main__`, so that Python shows it: elsewhere it hides a DeprecationWarning.
    warn_renamed(OLD_NAME, convert.NAME, stacklevel=2)
    convert.main(arguments)


if __name__ == "__main__":
    run_command(main, OLD_NAME)
