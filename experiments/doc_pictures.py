"""The sheets in the documentation, drawn from stored images: `python -m experiments.doc_pictures`.

The images, samples of trained models among them, are in `doc_pictures.npz`, so that the sheets follow the code that
draws them without a training. `--check` draws nothing and exits with 1 if a sheet is not what the code makes of those
images: its size, the pixels of its images, and its texts with their places, which the PNG holds as metadata. Whether
new models would give other images it does not tell; `--collect FOLDER` takes the images from the run folders in FOLDER.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import json
import pathlib
import sys

import numpy as np
from PIL import Image, PngImagePlugin

from experiments.command import Parser
from experiments.paper_figures.figures import DIGITS, draw_by_depth, samples_by_depth
from glow_tf import batched
from glow_tf.attributes import difference_of_means, load_attributes
from glow_tf.errors import ConfigError, RunError
from glow_tf.evaluation.accuracy import measure_accuracy
from glow_tf.evaluation.attribute_strips import draw_strips, reduced_remark, strip_images
from glow_tf.evaluation.commands.accuracy import draw_classes
from glow_tf.evaluation.commands.attributes import draw_strengths
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.examples import choose_examples
from glow_tf.evaluation.labeled_images import read_labeled_images
from glow_tf.io import write_atomically
from glow_tf.pictures import TEMPERATURES, Sheet, draw_by_temperature, rgb
from glow_tf.runs import Run

ROOT = pathlib.Path(__file__).resolve().parent.parent
INPUTS = ROOT / "experiments" / "doc_pictures.npz"
TEXTS = "Texts"
"""Name of the texts in the metadata of a PNG."""
ATTRIBUTE, STRENGTHS = "4", (-1.0, -0.5, 0.0, 0.5, 1.0)
FEW_ATTRIBUTES = ("dark skin", "blond", "smiling", "eyes closed", "spiky hair")
"""What the README shows of the faces."""
FACES_ORIGIN = "the preset faces with its weights; directions by means, calibrated"


def by_temperature(images, subtitle):
    """Draw samples `[temperatures, columns, H, W, C]`."""
    return draw_by_temperature(dict(zip(TEMPERATURES, images, strict=True)), str(subtitle))


def by_class(images, subtitle):
    """Draw samples `[classes, columns, H, W, C]` at temperature 0.7."""
    classes, columns = images.shape[:2]
    labels = np.repeat(np.arange(classes), columns)
    names = [str(label) for label in range(classes)]
    return draw_classes(images.reshape(-1, *images.shape[2:]), labels, names, 0.7, str(subtitle))


def by_strength(images, subtitle):
    """Draw edited images `[n, strengths, H, W, C]`, after a subtitle and the n names of the images."""
    origin, *names = map(str, subtitle)
    return draw_strengths(ATTRIBUTE, images, names, STRENGTHS, origin)


def by_attribute(images, words):
    """Draw edited images `[attributes, strengths, H, W, C]`, after a subtitle and the names of the attributes."""
    origin, *names = map(str, words)
    return draw_strips(names, images, origin)


def by_depth(images, sizes):
    """Draw samples `[models, columns, H, W, C]` of models with (L, K) `[models, 2]`."""
    return draw_by_depth({tuple(map(int, size)): row for size, row in zip(sizes, images, strict=True)})


PICTURES = {
    "docs/pictures/digits_samples.png": by_temperature,
    "docs/pictures/digits_by_class.png": by_class,
    "docs/pictures/digits_attribute_4.png": by_strength,
    "docs/pictures/faces.png": by_attribute,
    "docs/pictures/faces_attributes.png": by_attribute,
    "experiments/paper_figures/temperature.png": by_temperature,
    "experiments/paper_figures/samples_by_depth.png": by_depth,
}
"""Path -> function that makes a `Sheet` of the stored images and of the words that belong to them."""


def load_sheets():
    """Return the `Sheet` by path of those whose images are stored."""
    with np.load(INPUTS) as inputs:
        stored = {path: draw for path, draw in PICTURES.items() if f"{path}:images" in inputs}
        return {path: draw(inputs[f"{path}:images"], inputs[f"{path}:words"]) for path, draw in stored.items()}


def texts_of(sheet: Sheet) -> str:
    """Return the texts of a sheet, with their places, as JSON."""
    return json.dumps([[round(part, 1) if isinstance(part, float) else part for part in t] for t in sheet.page().texts])


def write(path, sheet):
    """Write a sheet as a PNG that holds its texts as metadata too."""
    metadata = PngImagePlugin.PngInfo()
    metadata.add_itxt(TEXTS, texts_of(sheet))
    image = Image.fromarray(sheet.to_array())
    write_atomically(path, lambda temporary: image.save(temporary, format="PNG", pnginfo=metadata, optimize=True))


def difference(path, sheet):
    """Return in words why a PNG is not what a sheet is drawn as, or None. Fonts may be rendered otherwise."""
    if not path.is_file():
        return "is missing"
    page = sheet.page()
    with Image.open(path) as image:
        pixels, texts = np.asarray(image.convert("RGB")), getattr(image, "text", {}).get(TEXTS)
    if pixels.shape[:2] != (page.height, page.width):
        return f"is {pixels.shape[1]}x{pixels.shape[0]}, and would be {page.width}x{page.height}"
    if texts != texts_of(sheet):
        return "has other texts"
    for x, y, raster in page.rasters:
        if not np.array_equal(pixels[y : y + raster.shape[0], x : x + raster.shape[1]], rgb(raster)):
            return "has other images"
    return None


def collect(runs):
    """Store the images of the run folders in a folder; those of runs that are not there stay as they are stored.

    Args:
        runs: path of a folder with `digits`, `digits_conditional`, runs of `experiments.paper_figures`, or `faces`, the
            results of `evaluate.py attributes faces --out RUNS/faces`. `faces.png` needs the packaged weights alone.

    Raises:
        ConfigError: there is no such folder.
    """
    if not runs.is_dir():
        raise ConfigError(f"--collect: {runs} is not a folder; give the one that holds the run folders.")
    parts = dict(np.load(INPUTS)) if INPUTS.is_file() else {}
    for sample, path in (
        (_digits_samples, "docs/pictures/digits_samples.png"),
        (_digits_strengths, "docs/pictures/digits_attribute_4.png"),
        (_faces, "docs/pictures/faces.png"),
        (_faces_attributes, "docs/pictures/faces_attributes.png"),
        (_digits_by_class, "docs/pictures/digits_by_class.png"),
        (_paper_temperatures, "experiments/paper_figures/temperature.png"),
        (_paper_depths, "experiments/paper_figures/samples_by_depth.png"),
    ):
        try:
            parts[f"{path}:images"], parts[f"{path}:words"] = sample(runs)
            print(f"{path}: new images")
        except RunError as error:
            print(f"{path}: the stored images stay, as {error}")
    write_atomically(INPUTS, lambda temporary: np.savez_compressed(temporary, **parts))


def _digits_samples(runs):
    context = open_context(runs / "digits")
    return _samples(context.model), f"{context.caption}, seed 0"


def _digits_strengths(runs):
    context = open_context(runs / "digits")
    train, examples = read_labeled_images(context, "train", 2000), choose_examples(context, 4)
    directions = difference_of_means(batched.encode(context.model, train.images), train.tags, train.names)
    z = batched.encode(context.model, examples.images)
    moved = [batched.decode(context.model, directions.apply(z, {ATTRIBUTE: strength})) for strength in STRENGTHS]
    return np.stack(moved, axis=1), [f"{context.caption}; directions by means", *examples.names]


def _faces(runs):
    """Return strips of a few attributes, of the weights and directions that come with the package."""
    context = open_context("faces")
    images = read_labeled_images(context, "test", 2000)
    strips, reduced = strip_images(context.model, load_attributes("faces"), images, FEW_ATTRIBUTES)
    return strips, [FACES_ORIGIN + reduced_remark(reduced), *FEW_ATTRIBUTES]


def _faces_attributes(runs):
    """Return strips of the packaged weights, after `evaluate.py attributes faces --out RUNS/faces`."""
    directions = list((runs / "faces").glob("attributes*.npz"))
    if not directions:
        raise RunError(f"there are no attributes of the faces in {runs}.")
    context = open_context("faces")
    images = read_labeled_images(context, "test", 2000)
    vectors = load_attributes(directions[0], context.model.config.dims)
    strips, reduced = strip_images(context.model, vectors, images, images.names)
    return strips, [FACES_ORIGIN + reduced_remark(reduced), *images.names]


def _digits_by_class(runs):
    context = open_context(runs / "digits_conditional")
    result = measure_accuracy(context, count=500, temperature=0.7, seed=0)
    images = [result.images[result.classes == label][:10] for label in range(10)]
    score = f"a classifier is right on {result.samples:.0%} of 500 samples"
    return np.stack(images), f"{context.caption}, seed 0; {score}"


def _paper_temperatures(runs):
    return _samples(_paper_model(runs, 3, 8)), f"{DIGITS}, L = 3, K = 8, seed 0"


def _paper_depths(runs):
    images = samples_by_depth({size: _paper_model(runs, *size) for size in ((3, 1), (3, 8), (1, 4), (3, 4))})
    return np.stack(list(images.values())), list(images)


def _paper_model(runs, levels, depth):
    return Run.open(runs / f"L={levels}_K={depth}_seed=0").model("last", ema=True)


def _samples(model):
    """Return samples `[temperatures, 10, H, W, C]`."""
    return np.stack([model.sample(10, temperature=t, seed=0).numpy() for t in TEMPERATURES])


def main(arguments):
    """Draw, check or collect; return the exit status."""
    parser = Parser(prog="python -m experiments.doc_pictures", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say which pictures are not current")
    parser.add_argument("--collect", metavar="FOLDER", type=pathlib.Path, help="take the images from run folders first")
    options = parser.parse_args(arguments)
    if options.collect:
        collect(options.collect)
    stale, sheets = {}, load_sheets()
    for name in PICTURES.keys() - sheets.keys():
        print(f"{name} has no stored images and is neither drawn nor checked; --collect takes them from its runs")
    for name, sheet in sheets.items():
        if options.check:
            stale[name] = difference(ROOT / name, sheet)
        else:
            write(ROOT / name, sheet)
    for name, reason in stale.items():
        if reason:
            print(f"{name} {reason}; run python -m experiments.doc_pictures", file=sys.stderr)
    return int(any(stale.values()))
