"""Train a Glow: `python train.py` takes the default preset, `--help` lists the others and every option."""

GLOW_TF_COMMAND = True  # starts quietly, see glow_tf/cli/quiet.py

from glow_tf.cli.command import run_module  # noqa: E402

if __name__ == "__main__":
    run_module("train")
