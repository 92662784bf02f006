"""`frechet`: the Fréchet distance between samples and real images, in features of random convolutions."""

import dataclasses
from typing import Annotated

from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.drawn_images import describe_non_finite
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.frechet import CHANNELS, MIN_IMAGES, measure_frechet, sample_count
from glow_tf.evaluation.options import MAX_IMAGES, Temperature, progress_bar
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import Between, Seed32, check_arguments
from glow_tf.tables import format_table


@check_arguments
def frechet(
    target: TargetOptions,
    *,
    count: Annotated[int, Between(MIN_IMAGES, MAX_IMAGES)] | None = None,
    temperature: Temperature = 1.0,
    seed: Seed32 = 0,
) -> None:
    """Measure the Fréchet distance of samples to training images, and that of real test images for comparison.

    The features are those of random convolutions, whitened on the training images, so nothing is downloaded. The
    distance is not an FID: compare it only between models of one data set, at one number of samples.

    Args:
        target: The model, its data, and where the results go.
        count: Number of samples, at most the number of test images; if not given, that number, but at most 5,000.
        temperature: Temperature of the samples.
        seed: Seed of the samples.
    """
    context = open_context(target)
    file_name = f"frechet{file_suffix(frechet, count=count, temperature=temperature, seed=seed)}.json"
    count = sample_count(context, count)
    with progress_bar(count, "sampling") as bar:
        result = measure_frechet(context, count=count, temperature=temperature, seed=seed, bar=bar)
    print(
        f"{context.source.name}, {context.weights_name}: Fréchet distance of {result.count:,} images to "
        f"{result.training_images:,} training images, in {CHANNELS[-1]} whitened features of random convolutions"
    )
    rows = [
        ("images", "distance", "times the real"),
        ("real test images", f"{result.real:.4g}", "1"),
        (f"samples at temperature {temperature:g}", f"{result.samples:.4g}", f"{result.ratio:.1f}"),
    ]
    print(format_table(rows, indent="  "))
    if result.non_finite:
        print(f"({describe_non_finite(result.non_finite, count, 'left out')})")
    values = {**dataclasses.asdict(result), "ratio": result.ratio, "temperature": temperature, "seed": seed}
    print(f"numbers: {context.write_json(file_name, values)}")
