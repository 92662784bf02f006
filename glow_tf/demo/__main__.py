"""Run the command that opens the page: `python -m glow_tf.demo RUN`."""

from glow_tf.cli.command import run_command
from glow_tf.cli.demo import NAME, main

if __name__ == "__main__":
    run_command(main, NAME)
