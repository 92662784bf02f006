"""Run the command that opens the page: `python -m glow_tf.demo RUN`."""

from glow_tf.cli.command import run_module

if __name__ == "__main__":
    run_module("demo")
