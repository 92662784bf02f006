"""Run `python -m glow_tf.convert` under its old name, `python -m glow_tf.openai`, with a warning."""

from glow_tf.cli.command import run_command
from glow_tf.cli.start import spell
from glow_tf.deprecation import warn_renamed

OLD_NAME = "python -m glow_tf.openai"


def main(arguments: list[str]) -> None:
    """Warn that the command is renamed, then run it."""
    # Attributed to this module, `__main__`, so that Python shows it: elsewhere it hides a DeprecationWarning.
    warn_renamed(OLD_NAME, spell("convert"), stacklevel=2)
    from glow_tf.cli import convert  # within `run_command`, so that a package that it lacks is one sentence

    convert.main(arguments)


if __name__ == "__main__":
    run_command(main, OLD_NAME)
