"""Run the command `glow-tf` as `python -m glow_tf`."""

from glow_tf.cli.main import run

if __name__ == "__main__":
    run()
