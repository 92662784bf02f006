"""`accuracy`: the accuracy, on conditional samples, of a classifier that is trained on real images only."""

from collections.abc import Sequence

import numpy as np

from glow_tf.counts import counted
from glow_tf.errors import ConfigError
from glow_tf.evaluation.accuracy import measure_accuracy
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import describe_non_finite
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.options import DEFAULT_PICTURES, ImageCount, PictureOptions, Temperature, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.fields import Seed32, check_arguments
from glow_tf.pictures import Sheet, describe_temperature
from glow_tf.pictures.samples import describe_black
from glow_tf.runs import MetricsTable, Run
from glow_tf.tables import format_table

MAX_CLASSES_SHOWN = 20
MAX_SAMPLES_SHOWN_PER_CLASS = 10


@check_arguments
def accuracy(
    target: TargetOptions,
    *,
    temperature: Temperature = 0.7,
    count: ImageCount = 500,
    seed: Seed32 = 0,
    pictures: PictureOptions = DEFAULT_PICTURES,
) -> None:
    """Measure the accuracy, on conditional samples, of a classifier trained on real images (GAN-test).

    Labels enter through the top prior alone, as in the original code: the fewer the levels, the more of the latents
    they affect. "Labels shuffled" are the same samples with their labels in a random order.

    Args:
        target: The model, its data, and where the results go.
        temperature: Temperature of the samples.
        count: Number of samples, evenly divided among the classes.
        seed: Seed of the samples.
        pictures: Format and size of the picture.
    """
    context = open_context(target)
    config = context.model.config
    if not config.classes:
        raise ConfigError(f"{context.path} is unconditional; accuracy needs a model with classes.")
    with progress_bar(count, "sampling") as bar:
        result = measure_accuracy(context, count=count, temperature=temperature, seed=seed, bar=bar)
    steps = _training_steps(context)
    names = context.source.class_names
    recognized = f"a classifier is right on {result.samples:.0%} of {counted(count, 'sample')}"
    black = f"; {describe_black(result.non_finite)}" if result.non_finite else ""
    subtitle = f"{context.caption}, seed {seed}; {recognized}{black}"
    sheet = draw_classes(result.images, result.classes, names[:count], temperature, subtitle)
    file_name = f"accuracy{file_suffix(accuracy, temperature=temperature, count=count, seed=seed)}"
    path = pictures.save(sheet, context.out, file_name)
    print(
        f"L={config.levels}, weight_y={config.weight_y:g}, {counted(steps, 'step') if steps else 'unknown steps'}, "
        f"{context.weights_name}; temperature {temperature:g}, {counted(count, 'sample')}; "
        "labels enter through the top prior alone"
    )
    rows = [
        ("classified", "accuracy"),
        ("real test images", f"{result.real:.1%}"),
        ("samples", f"{result.samples:.1%}"),
        ("samples, labels shuffled", f"{result.shuffled:.1%}"),
    ]
    print(format_table(rows, indent="  "))
    if result.non_finite:
        print(f"({describe_non_finite(result.non_finite, count, 'count as wrong')})")
    print(f"pictures: {path}")
    values = {
        "levels": config.levels,
        "weight_y": config.weight_y,
        "steps": steps,
        "temperature": temperature,
        "count": count,
        "real": result.real,
        "samples": result.samples,
        "shuffled": result.shuffled,
        "non_finite": result.non_finite,
        "by_class": dict(zip(names, result.by_class, strict=False)),
    }
    print(f"numbers:  {context.write_json(f'{file_name}.json', values)}")


def _training_steps(context: EvaluationContext) -> int | None:
    """Return the number of steps that a run was trained for; None for a `.keras` file or a run without metrics."""
    if context.experiment is None:
        return None
    rows = MetricsTable(Run(context.path).metrics_path).rows()
    step = rows[-1]["step"] if rows else None
    return None if step is None else int(step)


def draw_classes(
    images: np.ndarray, classes: np.ndarray, names: Sequence[str], temperature: float, subtitle: str
) -> Sheet:
    """Draw the first samples of each class.

    Args:
        images: uint8 `[n, H, W, C]`.
        classes: int `[n]`.
        names: names of the classes.
        temperature: temperature of the samples.
        subtitle: run, weights, seed and accuracy.
    """
    rows = [
        (name, images[classes == label][:MAX_SAMPLES_SHOWN_PER_CLASS])
        for label, name in enumerate(names[:MAX_CLASSES_SHOWN])
    ]
    return Sheet(rows, f"Samples by class at {describe_temperature(temperature)}", subtitle)
