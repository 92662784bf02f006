"""Convert a checkpoint of the original Glow code (openai/glow), or the frozen graph of its face demo, to a run folder.

The command infers the architecture from the names and shapes of the weights. Bits and image size are not stored with
them, so you must give them.
"""

import dataclasses
import os
import pathlib
from typing import Annotated, Any, Literal

import tyro

from glow_tf import presets
from glow_tf.cli import parsing, start
from glow_tf.cli.command import run_command, start_tensorflow
from glow_tf.config import NO_SOURCE, DataConfig, Experiment, ModelConfig, Side, TrainingConfig
from glow_tf.counts import counted
from glow_tf.errors import ConversionError
from glow_tf.fields import Between, PathText, Utf8, check_fields, option_name

NAME = start.program_name("convert")


def _argument(metavar: str, hint: str = "") -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the command; the fields' docstrings are its help."""

    # Defaults are None so that missing arguments are reported by us, not by tyro.
    checkpoint: Annotated[tyro.conf.Positional[pathlib.Path | None], Utf8(), _argument("CHECKPOINT")] = None
    """Checkpoint (such as model_best_loss.ckpt, the file checkpoint, or a folder with one) or frozen graph (.pb)."""
    out: Annotated[tyro.conf.Positional[pathlib.Path | None], Utf8(), _argument("OUT")] = None
    """Run folder to create."""
    bits: Annotated[int | None, Between(1, 8), _argument("N", "(required)")] = None
    """Bits per channel of the model, 1 to 8."""
    image_size: Annotated[tuple[Side, ...], _argument("H [W]", "(required)")] = ()
    """Height and width of the images in pixels, or one number if they are square."""
    check: Annotated[pathlib.Path | None, _argument("IMAGES")] = None
    """File of images whose bits/dim is printed before anything is written: uint8 [n, H, W, C], as .npy, or as .npz with
    images x and labels y."""
    preset: Annotated[str | None, _argument("NAME")] = None
    """Preset that the model must match; the run takes its data and training options from it."""
    data: Annotated[PathText | None, _argument("KIND:WHERE")] = None
    """Images to train on and to evaluate with, such as folder:my/images; a checkpoint does not name any."""
    fit: Annotated[
        Literal["exact", "pad", "resize", "crop", "random_crop"] | None,
        _argument("{exact,pad,resize,crop,random_crop}", "(default: exact, or the preset's)"),
    ] = None
    """How to fit images of --data or --preset that have another size than the model's."""
    batch_size: Annotated[int | None, Between(1, 10**6), _argument("N")] = None
    """Images per training step, over all replicas."""
    optimizer: Annotated[
        Literal["adamax", "adam"] | None, _argument("{adamax,adam}", "(default: adamax, or the preset's)")
    ] = None
    """Optimizer with which the model was trained; a checkpoint does not name it."""
    weight_y: Annotated[float, Between(0, 10**6), _argument("X", "(default: 0.01)")] = 0.01
    """Weight of the classifier's loss, if there is a classifier."""
    ignore: Annotated[tuple[str, ...], _argument("NAME ...")] = ()
    """Weights in the file, or nodes of the graph, to leave out."""

    def __post_init__(self) -> None:
        check_fields(self, option_name)


def main(arguments: list[str]) -> None:
    """Run the command with the words of a command line."""
    options = parsing.parse(Options, arguments, prog=NAME, description=__doc__)
    check_required(options)
    start_tensorflow()
    convert(options)


def convert(options: Options) -> None:
    """Convert a checkpoint to a run folder and print what it holds.

    Raises:
        ConversionError: an option is missing or does not fit, or the checkpoint cannot be converted.
        DataError: images of `--data` do not fit the model.
        ConfigError: they have other classes than the model.
    """
    from glow_tf.convert.openai_glow.check import measure_bits
    from glow_tf.convert.openai_glow.checkpoint import OpenAIGlowCheckpoint
    from glow_tf.convert.openai_glow.training_images import check_training_images
    from glow_tf.convert.openai_glow.writing import check_free, write_run

    path, out, bits, image_size = check_required(options)
    check_free(out)
    checkpoint = OpenAIGlowCheckpoint(
        path,
        bits=bits,
        image_size=image_size,
        weight_y=options.weight_y,
        ignore=options.ignore,
    )
    experiment = make_experiment(options, checkpoint.model.config, about=f"imported from {path.name} of openai/glow")
    unreadable = check_training_images(experiment) if options.data else ""
    print(checkpoint.model.describe())
    for note in checkpoint.notes:
        print(f"Note: {note}")
    if unreadable:
        print(f"Note: the images of --data were not checked: {unreadable}")
    if options.check:
        for name, bits_per_dim in measure_bits(checkpoint, options.check):
            print(f"{name}: {bits_per_dim.mean():.4f} bits/dim over {counted(len(bits_per_dim), 'image')}")
    write_run(checkpoint, out, experiment)
    weights = "raw and EMA weights" if checkpoint.has_ema else "weights"
    optimizer = f"optimizer state of step {checkpoint.steps():,}" if checkpoint.has_slots else "a fresh optimizer"
    print(f"{out}: {weights}, {optimizer}.")
    if experiment.data.source == NO_SOURCE:
        print(
            f"To resume its training, import it with --data or --preset; to fine-tune it, give {start.spell('train')} "
            f"--init-from {out} --source; to evaluate it, give {start.spell('evaluate')} --data."
        )


def check_required(options: Options) -> tuple[pathlib.Path, pathlib.Path, int, tuple[int, int]]:
    """Return checkpoint, run folder, bits and `(height, width)`.

    Raises:
        ConversionError: a value is missing; the message names the first one.
    """
    usage = f"{NAME} CHECKPOINT OUT --bits 8 --image-size 32"
    if options.checkpoint is None:
        raise ConversionError(f"expected CHECKPOINT, the file to import: {usage}.")
    if options.out is None:
        raise ConversionError(f"expected OUT, the run folder to create: {usage}.")
    if options.bits is None:
        raise ConversionError("expected --bits, bits per channel from 1 to 8: the checkpoint does not store them.")
    if len(options.image_size) not in (1, 2):
        raise ConversionError(
            "expected --image-size, height and width or one number: the checkpoint does not store them."
        )
    path, out = (pathlib.Path(os.path.expanduser(p)) for p in (options.checkpoint, options.out))
    return path, out, options.bits, (options.image_size[0], options.image_size[-1])


def make_experiment(options: Options, model_config: ModelConfig, about: str) -> Experiment:
    """Return the `Experiment` of the run: data and training of the preset, if any, changed by the options.

    Raises:
        ConversionError: the model is not that of the preset, or there are no images for `--fit`.
    """
    data, training = DataConfig(source=NO_SOURCE, labels=model_config.classes > 0), TrainingConfig()
    name = "imported"
    if options.preset:
        preset = presets.get(options.preset)
        _check_preset(preset, model_config)
        data, training, name = preset.data, preset.training, preset.name
    if options.data:
        data = dataclasses.replace(data, source=options.data)
    if options.fit:
        if data.source == NO_SOURCE:
            raise ConversionError("--fit: expected with --data or --preset, which name the images; give one, or none.")
        data = dataclasses.replace(data, fit=options.fit)
    changes = {key: getattr(options, key) for key in ("optimizer", "batch_size") if getattr(options, key) is not None}
    return Experiment(model_config, data, dataclasses.replace(training, **changes), name, about)


def _check_preset(preset: Experiment, model_config: ModelConfig) -> None:
    theirs, ours = dataclasses.asdict(model_config), dataclasses.asdict(preset.model)
    differences = [f"{key} {theirs[key]}, the preset has {ours[key]}" for key in theirs if theirs[key] != ours[key]]
    if differences:
        raise ConversionError(
            f"the checkpoint is not of preset {preset.name} ({', '.join(differences)}); leave --preset out."
        )


if __name__ == "__main__":
    run_command(main, NAME)
