"""Run a script of this folder as a command: it starts quietly, and an error of its user is one sentence.

The module of a script calls `run_script` before its imports, so that a package that they lack is such a sentence too.
"""

import argparse
import importlib
import sys


class Parser(argparse.ArgumentParser):
    """A parser of a command line, for benchmarks too, that reports an error in one line, as `train.py` does."""

    def error(self, message):
        """End the process with a message."""
        self.exit(2, f"{self.prog}: {message.rstrip('.')}.\n")


def run_script(name):
    """Import the module of a script and run its `main`, a function of the words of the command line; do not return.

    Args:
        name: name of the module, such as `"experiments.pretrained.__main__"`.
    """
    command = sys.argv[0] = f"python -m {name.removesuffix('.__main__')}"
    sys.modules["__main__"].GLOW_TF_COMMAND = True  # a quiet start, see glow_tf/cli/quiet.py
    from glow_tf.cli.command import run_command, start_tensorflow

    def main(words):
        start_tensorflow()
        return importlib.import_module(name).main(words)

    run_command(main, command)
