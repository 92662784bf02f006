"""Start a training on several machines, of which each initializes otherwise; print one weight, and what it was before.

`python -m helpers.two_machines FOLDER` runs on each machine of `TF_CONFIG`.
"""

import json
import sys

from glow_tf.config import RunOptions
from glow_tf.training import session
from glow_tf.training.trainer import Trainer
from helpers.tiny_runs import TINY


class OtherInitialization(Trainer):
    """A `Trainer` that adds 1 to the initialized weights on all machines but the first, and remembers one of them."""

    def initialize_from_data(self):
        super().initialize_from_data()
        if not self.chief:
            for variable in self.state.model.trainable_variables:
                variable.assign(variable + 1)
        self.initialized = first_weight(self.state)


def main(folder):
    options = RunOptions(run_dir=folder)
    trainer = OtherInitialization(TINY, options, session.set_up(options))
    trainer.restore()
    trainer.step.trace = lambda *_: None  # no step is taken
    trainer.prepare()
    results = {"initialized": trainer.initialized, "weight": first_weight(trainer.state)}
    shadow = trainer.state.ema.shadows[0].numpy().tolist()
    print(json.dumps({"chief": trainer.chief, **results, "shadow": shadow}))


def first_weight(state):
    return state.model.trainable_variables[0].numpy().tolist()


if __name__ == "__main__":
    main(sys.argv[1])
