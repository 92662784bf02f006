"""Put attribute directions of packaged weights into the package: `python -m experiments.pretrained.attributes PRESET`.

Writes `PRESET.attributes.npz`, which `glow_tf.load_attributes(PRESET)` and the page read (see
`glow_tf.model_files.packaged_attributes`), and says in the card `PRESET.json` how it was made. `--out FOLDER` names the
folder of weights and card, if it is not that of the package.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import argparse
import io
import json
import pathlib

import numpy as np

from experiments.command import Parser
from experiments.pretrained import card
from glow_tf import batched, presets
from glow_tf.attributes import difference_of_means
from glow_tf.errors import ConfigError, DataError
from glow_tf.evaluation.attribute_measurement import AttributeImages
from glow_tf.evaluation.attribute_report import start_measurement
from glow_tf.evaluation.labeled_images import attribute_names, read_labeled_images, read_validation
from glow_tf.evaluation.options import progress_bar
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.io import write_bytes
from glow_tf.model import Glow
from glow_tf.model_files import ATTRIBUTES_ENDING, PACKAGED_WEIGHTS, load_weights_file
from glow_tf.quantization import quantize
from glow_tf.weights_file import ENDING, written_digest

MAX_IMAGES = 10_000
"""Images of each split, at most: the directions are computed from training images and calibrated on others."""
EXAMPLES = 24
"""Test images that come with the directions, for the page to start with."""
STEPS = 8
"""Steps of rounding, at least, in the root mean square of a direction; rounding halves the file."""
MIN_COSINE = 0.998
"""Smallest cosine between a direction and the rounded one, 3.6 degrees."""


def main(arguments):
    """Compute and write the attributes of a preset, unless its source has none."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", help="name of the preset")
    parser.add_argument("--out", type=pathlib.Path, default=PACKAGED_WEIGHTS, help="folder of its weights")
    options = parser.parse_args(arguments)
    preset, weights = presets.get(options.preset), options.out / f"{options.preset}.{ENDING}"
    if preset.model.classes:
        raise ConfigError(f"{preset.name} is conditional: its directions depend on the class.")
    facts = json.loads((options.out / f"{preset.name}.json").read_text())
    model = Glow(preset.model)
    load_weights_file(model, weights)
    context = EvaluationContext(options.out, preset.data, None, options.out, file_model=model)
    if not attribute_names(context.source):
        return
    arrays, facts["attributes"] = compute(context)
    file = io.BytesIO()
    np.savez_compressed(file, weights=np.array(written_digest(weights)), **arrays)
    path = options.out / f"{preset.name}.{ATTRIBUTES_ENDING}"
    write_bytes(path, file.getvalue())
    print(f"{path}: {len(file.getvalue()):,} bytes")
    card.write(options.out, preset.name, facts)


def compute(context):
    """Return the arrays of the file, and the facts about them for the card."""
    labeled = read_labeled_images(context, "train", MAX_IMAGES)
    with progress_bar(len(labeled.images), "encoding") as bar:
        z = batched.encode(context.model, labeled.images, bar=bar)
    attributes = calibrated(difference_of_means(z, labeled.tags, labeled.names), labeled, context)
    directions = rounded(attributes.directions)
    examples = read_labeled_images(context, "test", EXAMPLES)
    # The page starts with the first image and blends it with the last: the two that have the fewest of the attributes
    # of the first sliders, a third of all, so that the sliders change much.
    first, last, *others = np.argsort(examples.tags[:, : len(examples.names) // 3].sum(1), kind="stable")
    order = [first, *others, last]
    arrays = {
        "names": np.array(attributes.names),
        "directions": directions,
        "images": quantize(examples.images[order], context.model.config.bits).numpy(),
        "tags": examples.tags[order],
        "credits": np.array(context.source.credits),
    }
    facts = {
        "method": "the difference of the means of the latents, calibrated on validation images",
        "training_images": len(labeled.images),
        "names": list(attributes.names),
        "test_images": len(examples.images),
        "license_of_test_images": context.source.credits or "that of the source; see THIRD_PARTY_NOTICES.md",
    }
    return arrays, facts


def calibrated(attributes, labeled, context):
    """Return attributes with the lengths that suit validation images (see `glow_tf.evaluation.calibration`)."""
    validation, test = read_validation(context, MAX_IMAGES), read_labeled_images(context, "test", MAX_IMAGES)
    images = AttributeImages(labeled, validation, test)
    measurement = start_measurement(context, images, attributes.names, 1, (0, 0))
    with progress_bar(measurement.images_to_calibrate(1), "calibrating") as bar:
        return measurement.calibrate({"means": attributes}, bar)["means"]


def rounded(directions):
    """Round directions `[n, D]` to multiples of a power of two, as float16, which compresses well.

    Raises:
        DataError: a direction would change by more than `MIN_COSINE` allows.
    """
    size = np.sqrt(np.mean(np.square(directions), 1, keepdims=True))
    step = 2.0 ** np.floor(np.log2(size / STEPS))
    with np.errstate(over="ignore", invalid="ignore"):  # the cosine is then NaN
        result = (np.round(directions / step) * step).astype(np.float16)
        lengths = [np.linalg.norm(np.asarray(array, float), axis=1) for array in (directions, result)]
        cosines = np.sum(directions * result.astype(float), 1) / (lengths[0] * lengths[1])
    if not np.all(cosines > MIN_COSINE):
        raise DataError(
            f"a direction and its rounding to float16 have the cosine {cosines.min():.4f}, expected more than "
            f"{MIN_COSINE}; the weights may be too large."
        )
    return result
