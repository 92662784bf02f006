"""Put the weights of a run into the package: `python -m experiments.pretrained RUN PRESET`.

Writes `PRESET.weights.h5`, `PRESET.attributes.npz` (see `attributes.py`) and the card `PRESET.json`, which says how the
weights were trained and which bits/dim they reach; `tests/test_model_files.py` measures these again. A run of `faces`
has three levels (`train.py --preset faces --levels 3`), and `top_levels.py` adds the others. `--out FOLDER` names
another folder to write to, `--processor TEXT` what the run was trained on, for the card.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import argparse
import dataclasses
import os
import pathlib

from experiments.command import Parser
from experiments.pretrained import attributes, card, top_levels
from experiments.pretrained.compression import write_weights
from glow_tf import presets
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.model import Glow
from glow_tf.model_files import PACKAGED_WEIGHTS, load_weights_file
from glow_tf.runs import Run
from glow_tf.weights_file import ENDING


def main(arguments):
    """Write the better of the raw and the EMA weights of a run, by validation."""
    options = parse(arguments)
    run, preset = Run.open(options.run), presets.get(options.preset)
    with_top_levels = preset.name == top_levels.PRESET.name
    levels = top_levels.LOWER_LEVELS if with_top_levels else preset.model.levels
    config = dataclasses.replace(preset.model, levels=levels)
    card.check_model(run.experiment(), dataclasses.replace(preset, model=config))
    epoch, ema = card.best_epoch(run)
    model = Glow(config)  # in float32, whatever the precision of the training was
    load_weights_file(model, run.weights_to_load(ema=ema))
    context = open_context(TargetOptions(str(run.path)))
    facts = card.make(run, preset, model, context, epoch, ema, options.processor)  # before a file is replaced
    write_weights(model, options.out / f"{preset.name}.{ENDING}")
    card.write(options.out, preset.name, facts)
    if with_top_levels:
        top_levels.main(["--out", str(options.out)])
    attributes.main([preset.name, "--out", str(options.out)])


def parse(arguments):
    """Return the options of a command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder")
    parser.add_argument("preset", help="name of the preset whose model the run has")
    parser.add_argument("--out", type=pathlib.Path, default=PACKAGED_WEIGHTS, help="folder to write to")
    parser.add_argument("--processor", default=f"{os.cpu_count()} CPU cores", help="what the run was trained on")
    return parser.parse_args(arguments)
