"""Imports a checkpoint of the original Glow code (openai/glow), or its face demo's frozen graph, as a run folder.

The architecture is read off the names and shapes of the weights; bits and image size are not in them.
"""

import dataclasses
import pathlib
from typing import Literal

import numpy as np
import tyro

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, TrainingConfig
from glow_tf.errors import run_command
from glow_tf.openai.original import Original
from glow_tf.openai.sources import OpenaiError
from glow_tf.openai.writing import check_free, write_run


@dataclasses.dataclass
class Options:
    checkpoint: tyro.conf.Positional[pathlib.Path | None] = None
    """The checkpoint (model_best_loss.ckpt, or the folder it is alone in) or the frozen graph (.pb)."""
    out: tyro.conf.Positional[pathlib.Path | None] = None
    """The run folder to make."""
    bits: int | None = None
    """Bits per channel of the model, 1 to 8."""
    image_size: tuple[int, ...] = ()
    """Height and width of its images, or one number if they are square."""
    preset: str | None = None
    """A preset that the model must equal; the run takes its data and training from it."""
    optimizer: Literal["adamax", "adam"] | None = None
    """The optimizer that trained it, adamax if not given: the names of its state do not tell."""
    batch_size: int | None = None
    """Global batch size to go on training with."""
    data: str | None = None
    """Source of data for the run, kind:where; a checkpoint names none."""
    weight_y: float = 0.01
    """Weight of the loss of a classifier, if there is one."""
    check: pathlib.Path | None = None
    """A batch of uint8 images, .npy or .npz (x, and y for labels), whose bits/dim is printed before writing."""
    ignore: tuple[str, ...] = ()
    """Weights or graph inputs in the file to leave out."""


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
    data, training, name = DataConfig(source="folder:images", labels=model.classes > 0), TrainingConfig(), "imported"
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
    images, labels = _read_batch(path, original.model)
    weights = {"raw weights": original.load_weights}
    if original.has_averages:
        weights["averaged weights"] = original.load_averages
    for name, load in weights.items():
        load()
        bits = original.model.bits_per_dim(images, labels, seed=0).numpy()
        print(f"{name}: {bits.mean():.4f} bits/dim over {len(bits)} images")


def _read_batch(path, model):
    """`(images, labels)` of a .npy or .npz file, labels None where the model takes none."""
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return _images(stored, path, model), _labels(None, path, model)
        return _images(stored["x"], path, model), _labels(stored.get("y"), path, model)
    except (ValueError, KeyError, EOFError) as error:
        raise OpenaiError(f"{path} cannot be read as a batch of images (.npy, or .npz with x): {error}") from error


def _images(images, path, model):
    if images.dtype != np.uint8 or images.shape[1:] != model.image_shape:
        raise OpenaiError(
            f"{path}: expected uint8 images [n, {', '.join(map(str, model.image_shape))}], "
            f"got {images.dtype} {list(images.shape)}."
        )
    return images


def _labels(labels, path, model):
    if not model.config.classes:
        return None
    if labels is None:
        raise OpenaiError(f"{path}: the model is conditional, so it takes an .npz with labels y beside the images x.")
    return labels


if __name__ == "__main__":
    run_command(main, "python -m glow_tf.openai")
