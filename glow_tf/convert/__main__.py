"""Run the command that converts a checkpoint of the original code: `python -m glow_tf.convert CHECKPOINT OUT`."""

from glow_tf.cli.command import run_module

if __name__ == "__main__":
    run_module("convert")
