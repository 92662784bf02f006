"""Start a training on several machines, of which each initializes otherwise, and print the weights it begins with.

`python -m helpers.two_machines FOLDER` runs on each machine of `TF_CONFIG`.
"""

import json
import sys

from glow_tf.config import RunOptions
from glow_tf.training import session
from glow_tf.training.trainer import Trainer
from helpers.tiny_runs import TINY


class OtherInitialization(Trainer):
    """A `Trainer` that adds 1 to the initialized weights on all machines but the first."""

    def initialize_from_data(self):
        super().initialize_from_data()
        if not self.chief:
            for variable in self.state.model.trainable_variables:
                variable.assign(variable + 1)


def main(folder):
    options = RunOptions(run_dir=folder)
    trainer = OtherInitialization(TINY, options, session.set_up(options))
    trainer.restore()
    trainer.step.trace = lambda *_: None  # no step is taken
    trainer.prepare()
    first, shadow = trainer.state.model.trainable_variables[0], trainer.state.ema.shadows[0]
    print(json.dumps({"chief": trainer.chief, "weight": first.numpy().tolist(), "shadow": shadow.numpy().tolist()}))


if __name__ == "__main__":
    main(sys.argv[1])
