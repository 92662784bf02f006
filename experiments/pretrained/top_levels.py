"""Add top levels to trained weights of drawn faces: `python -m experiments.pretrained.top_levels`.

The features of drawn faces, such as the color of the hair, have few values, so the latents of the faces at 4x4 lie in
clusters. A model of three levels has a Gaussian there, whose samples lie between the clusters: 67 % of them had blond
hair, of the faces 40 %. Two more levels, down to 1x1, tell the clusters apart. They are trained on the latents of more
faces than the source has, and the levels below stay as they are. They start from rotations that gather what tells the
features apart (`top_rotations.py`): from random rotations, samples improved a tenth as fast.

Replaces `faces.weights.h5` by weights of the preset's five levels, of which the lower three are those of the file, all
rounded by `compression.round_weights`, and changes its card. `--out FOLDER` names the folder of both, if it is not that
of the package. The attribute directions are then those of other weights: `python -m experiments.pretrained.attributes
faces` makes new ones.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import argparse
import dataclasses
import json
import pathlib
import time

import numpy as np
import tensorflow as tf

from experiments.command import Parser
from experiments.pretrained import card, top_rotations
from experiments.pretrained.compression import round_weights, write_weights
from experiments.pretrained.top_flow import TopLevels
from experiments.pretrained.top_training import BATCH_SIZE, fit
from glow_tf import presets
from glow_tf.batched import map_chunks
from glow_tf.counts import counted
from glow_tf.data import face_drawings, faces
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.options import progress_bar
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.model import Glow
from glow_tf.model_files import PACKAGED_WEIGHTS, load_weights_file
from glow_tf.weights_file import ENDING, written_config

PRESET = presets.get("faces")
LOWER_LEVELS = 3
"""Levels of the weights to which the others are added."""
FACES = 60_000
"""Faces to train on, none of which the source has."""
INITIAL_FACES = 10_000
"""Faces from which the rotations are computed."""
CHUNK = 250
"""Faces encoded at once."""
STEPS, LEARNING_RATES = (16_000, 3_000), (2e-3, 1e-3)
"""Steps and learning rates of the two trainings: first of the last level alone, then of all top levels."""


def main(arguments):
    """Train the top levels and write the weights and their card."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=PACKAGED_WEIGHTS, help="folder of weights and card")
    folder = parser.parse_args(arguments).out
    path, facts = folder / f"{PRESET.name}.{ENDING}", json.loads((folder / f"{PRESET.name}.json").read_text())
    levels = written_config(path).get("levels", LOWER_LEVELS)
    if levels < LOWER_LEVELS:
        raise ConfigError(f"{path} has weights of {counted(levels, 'level')}, expected at least {LOWER_LEVELS}.")
    lower = Glow(dataclasses.replace(PRESET.model, levels=levels))
    load_weights_file(lower, path)
    images, labels = draw_other_faces()
    latents, start = lower_latents(lower, images), time.monotonic()
    model = add_levels(lower, latents, labels)
    facts["top_levels"] = training_facts((time.monotonic() - start) / 60)
    context = EvaluationContext(folder, PRESET.data, None, folder, file_model=model)
    facts |= card.measured(PRESET, model, context)
    write_weights(model, path)
    card.write(folder, PRESET.name, facts)


def draw_other_faces():
    """Return the images of `FACES` faces that the source does not have, and their features as labels `[FACES, F]`."""
    first = sum(faces.COUNTS.values())
    images = faces.cached_images(first + FACES, PRESET.model.image_shape[0])
    return images[first:], top_rotations.labels_of(face_drawings.list_features(len(images))[first:])


def lower_latents(model, images):
    """Return the latents `[n, H, W, C]` of images after the steps of the last of the lower levels of a model.

    Raises:
        DataError: a latent is not finite.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def encode(chunk, seed):
        h, _ = TopLevels(model.flow, 0).run_level(0, model.dequantize(chunk, seed=seed))
        for level in range(1, LOWER_LEVELS):
            h = TopLevels(model.flow, level).next_latents(h)
        return h

    def encode_chunk(rows):
        return encode(tf.constant(images[rows]), tf.constant([rows.start, 0])).numpy()

    with progress_bar(len(images), "encoding") as bar:
        latents = map_chunks(encode_chunk, len(images), CHUNK, bar)
    if not np.isfinite(latents).all():
        raise DataError("the latents of the faces are not finite, as the weights are too large.")
    return latents


def add_levels(lower, latents, labels):
    """Return a model of the preset: lower levels of another model, top levels that are trained here, rounded weights.

    Args:
        lower: a `Glow` of at least `LOWER_LEVELS` levels.
        latents: its latents after the steps of the last of them, `[n, H, W, C]`.
        labels: the features of their faces, int `[n, F]`.
    """
    model = Glow(PRESET.model)
    for level in range(LOWER_LEVELS):
        for old, new in zip(lower.flow.steps(level), model.flow.steps(level), strict=True):
            new.set_weights(old.get_weights())
        if level < LOWER_LEVELS - 1:
            model.flow.split(level).set_weights(lower.flow.split(level).get_weights())
    top = TopLevels(model.flow, LOWER_LEVELS)
    top.initialize(tf.constant(latents[:INITIAL_FACES]), labels[:INITIAL_FACES])
    last_split = map_chunks(lambda rows: top.next_latents(latents[rows]).numpy(), len(latents), CHUNK)
    fit(TopLevels(model.flow, LOWER_LEVELS + 1), last_split, labels, STEPS[0], LEARNING_RATES[0])
    fit(top, latents, labels, STEPS[1], LEARNING_RATES[1])
    for variable in model.trainable_variables:
        variable.assign(round_weights(variable.numpy()))
    return model


def training_facts(minutes):
    """Return how the top levels were trained, for the card."""
    return {
        "command": "python -m experiments.pretrained.top_levels",
        "steps": STEPS,
        "images": sum(STEPS) * BATCH_SIZE,
        "faces": FACES,
        "minutes": round(minutes, 1),
    }
