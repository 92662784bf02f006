"""Run the command that exports a trained Glow: `python -m glow_tf.export RUN OUT`."""

from glow_tf.cli.export import run

if __name__ == "__main__":
    run()
