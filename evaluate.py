"""Evaluate a trained Glow: `python evaluate.py RUN` gives a short report, `--help` lists the rest."""

GLOW_TF_COMMAND = True  # starts quietly, see glow_tf/cli/quiet.py

from glow_tf.cli.command import run_module  # noqa: E402

if __name__ == "__main__":
    run_module("evaluate")
