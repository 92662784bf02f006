"""Check that the Fréchet distance of `evaluate.py` orders sets of images by how good they are.

`python -m experiments.frechet_ladder PRESET [RUN...]` prints a table for a preset whose weights come with the package,
and for runs of it that were trained more briefly: the distance of each set in units of that of real test images. Sets
of a group are listed from good to bad, so the numbers of a group should rise.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

from experiments.command import Parser
from glow_tf import Glow, presets
from glow_tf.errors import ConfigError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.frechet import RandomFeatures, draw_finite, frechet_distance, sample_count
from glow_tf.evaluation.labeled_images import read_labeled_images
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.quantization import quantize
from glow_tf.runs import load_model
from glow_tf.tables import format_table

TEMPERATURES = (1.0, 0.7, 0.5, 0.2)
SEEDS = range(3)
"""Seeds of the features and of the sets; the table has the mean of the ratio and its range."""


def main(arguments):
    """Print the table of a preset and of runs of its model."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", help="name of a preset whose weights come with the package")
    parser.add_argument("runs", nargs="*", help="run folders of its model")
    options = parser.parse_args(arguments)
    name, runs = options.preset, options.runs
    context = open_context(TargetOptions(name))
    count, bits = sample_count(context), context.model.config.bits
    train, test = (read_labeled_images(context, split, 10_000) for split in ("train", "test"))
    sets = {f"samples, packaged weights, temperature {t:g}": sampler(context.model, t) for t in TEMPERATURES}
    for run in runs:
        model = load_model(run)
        if model.image_shape != (expected := context.model.image_shape):
            raise ConfigError(f"{run} draws images of shape {model.image_shape}, expected {expected}, as {name} does.")
        sets[f"samples, {run}, temperature 1"] = sampler(model, 1.0)
    fresh = Glow.from_preset(name, load_weights=False)
    fresh.initialize(train.images[: presets.get(name).training.init_images])
    sets["samples, initialized weights, temperature 1"] = sampler(fresh, 1.0)
    sets["a Gaussian of the pixels' mean and covariance"] = lambda rng, n: gaussian(train.images, rng, n)
    for text, (edit, strengths) in EDITS.items():
        for strength in strengths:
            sets[f"test images, {text.format(strength)}"] = editor(edit, test.images, strength)
    for kept in (200, 50, 10):
        sets[f"copies of {kept} training images"] = lambda rng, n, kept=kept: copies(train.images, rng, n, kept)
    if (train.tags.sum(1) == 1).all():
        for kept in (7, 5, 3, 1):
            sets[f"training images of {kept} of the classes"] = lambda rng, n, kept=kept: only(train, rng, n, kept)

    ratios = {set_name: [] for set_name in sets}
    rounded = [quantize(part.images, bits).numpy() for part in (train, test)]
    for seed in SEEDS:
        features = RandomFeatures(rounded[0], seed)
        reference = features(rounded[0])
        real = frechet_distance(features(rounded[1][:count]), reference)
        for set_name, draw in sets.items():
            images = quantize(draw(np.random.default_rng(seed), count), bits).numpy()
            ratios[set_name].append(frechet_distance(features(images), reference) / real)
    rows = [("set", "times the real", "range")]
    rows += [(n, f"{np.mean(r):.2f}", f"{min(r):.2f} to {max(r):.2f}") for n, r in ratios.items()]
    print(f"{context.source.name}, {count} images a set, {len(train.images):,} training images")
    print(format_table(rows))


def sampler(model, temperature):
    """Return a function `(rng, n)` that draws samples."""
    return lambda rng, n: draw_finite(model, n, temperature, seed=int(rng.integers(1000)))


def editor(edit, images, strength):
    """Return a function `(rng, n)` that edits n images."""
    return lambda rng, n: to_bytes(edit(images[:n].astype(float), rng, strength))


def to_bytes(x):
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def blur(x, rng, strength):
    """Blur images by a Gaussian of so many pixels."""
    return gaussian_filter(x, (0, strength, strength, 0))


def add_noise(x, rng, strength):
    """Add Gaussian noise of so many gray levels."""
    return x + strength * rng.normal(size=x.shape)


def shuffle(x, rng, strength):
    """Shuffle a share of the pixels of each image."""
    pixels = x.reshape(len(x), -1, x.shape[-1]).copy()
    for image in pixels:
        moved = rng.permutation(len(image))[: max(2, round(strength * len(image)))]
        image[moved] = image[np.roll(moved, 1)]
    return pixels.reshape(x.shape)


def gaussian(images, rng, n):
    """Draw images of the Gaussian with the mean and the covariance of the pixels of images."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    mean = pixels.mean(0)
    weights = rng.normal(size=(n, len(pixels))).astype(np.float32)
    return to_bytes(mean + weights @ (pixels - mean) / np.sqrt(len(pixels) - 1)).reshape(n, *images.shape[1:])


def copies(images, rng, n, kept):
    """Draw n of only `kept` images."""
    return images[rng.permutation(len(images))[:kept]][rng.integers(kept, size=n)]


def only(labeled, rng, n, kept):
    """Draw n images of only so many classes."""
    rows = np.flatnonzero(labeled.tags[:, rng.permutation(len(labeled.names))[:kept]].any(1))
    return labeled.images[rng.choice(rows, n, replace=len(rows) < n)]


EDITS = {
    "blurred with a deviation of {} pixels": (blur, (0.3, 0.5, 0.8, 1.2)),
    "with noise of {} gray levels": (add_noise, (8, 32, 64, 128)),
    "with a share of {} of the pixels shuffled": (shuffle, (0.05, 0.1, 0.25, 1)),
}
"""Edits of real images and their strengths, ascending, by what they do."""
