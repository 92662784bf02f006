"""Imports a checkpoint of the original Glow code (openai/glow), or its face demo's frozen graph, as a run folder.

The architecture is read off the names and shapes of the weights; bits and image size are not in them.
"""

import dataclasses
import pathlib
from typing import Annotated, Literal

import tyro

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, TrainingConfig
from glow_tf.errors import run_command
from glow_tf.openai.batch import read_batch
from glow_tf.openai.errors import OpenaiError
from glow_tf.openai.original import Original
from glow_tf.openai.writing import check_free, write_run

NO_DATA = "folder:images"
"""What the run's configuration names where no data is given."""


def _arg(metavar, hint=""):
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


@dataclasses.dataclass
class Options:
    # None stands for what is not given, so that a missing one is said in one sentence.
    checkpoint: Annotated[tyro.conf.Positional[pathlib.Path | None], _arg("CHECKPOINT")] = None
    """The checkpoint (model_best_loss.ckpt, or the folder it is alone in) or the frozen graph (.pb)."""
    out: Annotated[tyro.conf.Positional[pathlib.Path | None], _arg("OUT")] = None
    """The run folder to make."""
    bits: Annotated[int | None, _arg("N", "(required)")] = None
    """Bits per channel of the model, 1 to 8."""
    image_size: Annotated[tuple[int, ...], _arg("H [W]", "(required)")] = ()
    """Height and width of its images, or one number if they are square."""
    check: Annotated[pathlib.Path | None, _arg("IMAGES")] = None
    """A batch of uint8 images [n, H, W, C], .npy, or .npz with x and labels y, whose bits/dim is printed before
    anything is written."""
    preset: Annotated[str | None, _arg("NAME")] = None
    """A preset that the model must equal; the run takes its data and training from it."""
    data: Annotated[str | None, _arg("KIND:WHERE")] = None
    """Images to train on and to evaluate with, such as folder:my/images; a checkpoint names none."""
    batch_size: Annotated[int | None, _arg("N")] = None
    """Images per step to train on with, over all replicas."""
    optimizer: Annotated[Literal["adamax", "adam"] | None, _arg("{adamax,adam}", "(adamax if not given)")] = None
    """The optimizer that trained it: the names of its state do not tell."""
    weight_y: Annotated[float, _arg("X", "(0.01 if not given)")] = 0.01
    """Weight of the classifier's loss, where there is a classifier."""
    ignore: Annotated[tuple[str, ...], _arg("NAME ...")] = ()
    """Weights in the file, or nodes of the graph, to leave out."""


def main(arguments):
    run(tyro.cli(Options, args=arguments, prog="python -m glow_tf.openai", description=__doc__))


def run(options):
    size = _required(options)
    check_free(options.out)
    original = Original(
        options.checkpoint, bits=options.bits, image_size=size, weight_y=options.weight_y, ignore=options.ignore
    )
    experiment = make_experiment(options, original.model.config)
    print(original.model.describe())
    for note in original.notes:
        print(f"Note: {note}")
    if options.check:
        _print_bits(original, options.check)
    write_run(original, options.out, experiment)
    state = f"optimizer state of step {original.steps():,}" if original.has_slots else "a fresh optimizer"
    averages = "raw and averaged weights" if original.has_averages else "weights"
    print(f"{options.out}: {averages}, {state}.")
    if experiment.data.source == NO_DATA:
        print("To train on, import it with --data or --preset; to evaluate, give evaluate.py --data.")


def _required(options):
    """The image size as `(H, W)`, or a `OpenaiError` for the first option that is missing."""
    for name, what in (("checkpoint", "CHECKPOINT, the file to import"), ("out", "OUT, the run folder to make")):
        if getattr(options, name) is None:
            raise OpenaiError(f"expected {what}: python -m glow_tf.openai CHECKPOINT OUT --bits 8 --image-size 32.")
    if options.bits is None:
        raise OpenaiError("expected --bits, bits per channel from 1 to 8: the checkpoint does not tell them.")
    if len(options.image_size) not in (1, 2):
        raise OpenaiError("expected --image-size, height and width or one number: the checkpoint does not tell them.")
    return options.image_size if len(options.image_size) == 2 else options.image_size * 2


def make_experiment(options, model):
    """The run's configuration: data and training of the preset, if any, changed by the options."""
    data, training, name = DataConfig(source=NO_DATA, labels=model.classes > 0), TrainingConfig(), "imported"
    if options.preset:
        preset = presets.get(options.preset)
        data, training, name = preset.data, preset.training, preset.name
        fields = [f.name for f in dataclasses.fields(model)]
        different = [
            f"{f} {getattr(model, f)}, the preset has {getattr(preset.model, f)}"
            for f in fields
            if getattr(model, f) != getattr(preset.model, f)
        ]
        if different:
            raise OpenaiError(f"the checkpoint is not of preset {name}: {'; '.join(different)}.")
    if options.data:
        data = dataclasses.replace(data, source=options.data)
    changes = {k: getattr(options, k) for k in ("optimizer", "batch_size") if getattr(options, k) is not None}
    about = f"imported from {options.checkpoint.name} of openai/glow"
    return Experiment(model, data, dataclasses.replace(training, **changes), name, about)


def _print_bits(original, path):
    images, labels = read_batch(path, original.model)
    weights = {"raw weights": original.load_weights}
    if original.has_averages:
        weights["averaged weights"] = original.load_averages
    for name, load in weights.items():
        load()
        bits = original.model.bits_per_dim(images, labels, seed=0).numpy()
        print(f"{name}: {bits.mean():.4f} bits/dim over {len(bits)} images")


if __name__ == "__main__":
    run_command(main, "python -m glow_tf.openai")
