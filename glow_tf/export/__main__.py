"""Run the command that exports a trained Glow: `python -m glow_tf.export RUN OUT`."""

from glow_tf.cli.command import run_module

if __name__ == "__main__":
    run_module("export")
