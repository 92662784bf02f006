"""Test command lines that people type by mistake or by habit: the right number, or one line and exit code 2."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from glow_tf.attributes import load_attributes
from glow_tf.cli import convert, demo, evaluate, export, train
from glow_tf.evaluation import calibration
from helpers.commands import call

pytestmark = pytest.mark.slow

MAIN = {module.NAME: module.main for module in (train, evaluate, export, convert, demo)}
TRAIN, EVALUATE, EXPORT, CONVERT, DEMO = MAIN

DIRECTIONS = np.eye(40, 64, dtype=np.float32)


@pytest.fixture(scope="module")
def runs(tiny_run, tiny_conditional_run, tmp_path_factory):
    """Give the words of command lines that stand for files: runs, and what lies in a folder of their own."""
    folder = tmp_path_factory.mktemp("options")
    named_like_a_file = folder / "run.keras"
    shutil.copytree(tiny_run, named_like_a_file)
    np.save(folder / "z_manipulate.npy", DIRECTIONS)
    Image.new("L", (2_000_000, 1)).save(folder / "strip.png")
    for name in ("mean", "other"):
        for split in ("train", "test"):
            (folder / "pictures" / split / name).mkdir(parents=True)
            for i in range(8):
                noise = np.random.default_rng(i).integers(0, 60, (8, 8), np.uint8)
                picture = Image.fromarray(noise + np.uint8(150 * (name == "mean")))
                picture.save(folder / "pictures" / split / name / f"{i}.png")
    return {
        "RUN": tiny_run,
        "CLASSES": tiny_conditional_run,
        "KERAS": named_like_a_file,
        "MANIPULATE": folder / "z_manipulate.npy",
        "PICTURES": folder / "pictures",
        "STRIP": folder / "strip.png",
        "MEAN": folder / "pictures" / "train" / "mean",
        "NONE": folder / "nothing",
        "OUT": folder / "out",
    }


def run(name, line, files, code=0):
    """Run a command line, in which words in capital letters are files."""
    names = re.compile("|".join(files))
    words = [names.sub(lambda match: str(files[match[0]]), word) for word in line.split(" ")] if line else []
    return call(MAIN[name], name, *words, code=code)


REFUSED = {
    "empty variable as preset": (TRAIN, "--preset  --print-config", "preset: expected one of digits, .* got ''"),
    "run folder without its option": (TRAIN, "RUN", "Unrecognized options: .*run"),
    "epochs in powers of ten": (TRAIN, "--epochs 1e3", "--epochs: expected a whole number, got '?1e3"),
    "comma of a decimal": (TRAIN, "--learning-rate 0,001", "--learning-rate: expected a number, got '?0,001"),
    "share in percent": (TRAIN, "--validation 5%", "--validation: expected a number, got '?5%"),
    "value of a flag": (TRAIN, "--flip True", "Unrecognized options: True"),
    "two sizes": (TRAIN, "--image-shape 8 8", "image-shape"),
    "bits in words": (TRAIN, "--bits eight", "--bits: expected a whole number, got '?eight"),
    "devices by name": (TRAIN, "--devices gpu", "devices: expected auto, cpu or a number"),
    "cosine without an end": (TRAIN, "--preset cifar10 --schedule cosine", "a cosine decay .* needs epochs"),
    "other preset in the folder": (TRAIN, "--preset mnist5k --run-dir RUN", "holds a run of another configuration"),
    "too many channels": (
        TRAIN,
        "--image-shape 4096 4096 64 --levels 12 --batch-size 1 --init-images 1",
        "levels: expected at most 8,192 channels in the last level; with levels=12 .* it has 524,288",
    ),
    "folder that is not there": (TRAIN, "--source folder:NONE --run-dir OUT", "there is no folder .*nothing"),
    "two runs": (EVALUATE, "RUN CLASSES", "Unrecognized options"),
    "comparison with nothing": (EVALUATE, "compare RUN", "--against is missing"),
    "label of an unconditional model": (EVALUATE, "interpolate RUN --label 3", "unconditional and takes no label"),
    "label of test images": (EVALUATE, "interpolate CLASSES --label 3", "--label is the class of your own files"),
    "attribute of twice the same folder": (
        EVALUATE,
        "attributes RUN --folders MEAN MEAN --out OUT",
        "expected a finite direction that is not zero",
    ),
    "strip of 2,000,000 pixels": (
        EVALUATE,
        "interpolate RUN --images STRIP STRIP --video gif --out OUT",
        "strip.png: an image is 1x2000000, and resizing it",
    ),
    "empty folder to write": (EVALUATE, "encode RUN --out ", "--out: expected something, got ''"),
    "source without a kind": (EVALUATE, "bits RUN --data PICTURES", "source: expected kind:where"),
    "weights file as a run": (EVALUATE, "bits RUN/weights", "is not a run folder"),
    "half a draw": (EVALUATE, "bits RUN --draws 2.5", "--draws: expected a whole number, got '?2.5"),
    "export to nowhere": (EXPORT, "RUN", "OUT is missing"),
    "export over its run": (EXPORT, "RUN RUN --overwrite", "is no SavedModel, so it will not be replaced"),
    "conversion of nothing": (CONVERT, "", "expected CHECKPOINT, the file to import"),
    "conversion of a file that is not there": (CONVERT, "NONE OUT --bits 8 --image-size 32", "nothing"),
    "conversion at three sizes": (CONVERT, "NONE OUT --bits 8 --image-size 8 8 3", "expected --image-size, height and"),
    "page at a port beyond": (DEMO, "RUN --port 65536", "--port: expected 0 to 65,535, got 65536"),
    "page of a run that is not there": (DEMO, "NONE --port 0 --no-browser", "is not a run folder"),
    "page at no host": (DEMO, "RUN --host 999.1.1.1 --port 0", "cannot listen at 999.1.1.1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_command_line_is_refused_in_one_line(case, runs):
    name, line, sentence = REFUSED[case]
    if case.startswith("page"):
        pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
    out, err = run(name, line, runs, code=2)
    assert re.sub(r"^\S+: getting ready ...\n$", "", out) == "", "the page alone says that it begins"
    assert err.count("\n") == 1 and re.search(sentence, err), err
    assert not runs["OUT"].exists()


def printed(line, *keys):
    """Return a number of the configuration that a command line gives."""

    def read(files):
        value = json.loads(run(TRAIN, f"{line} --print-config", files)[0])
        for key in keys:
            value = value[key]
        return value

    return read


def numbers(line, name):
    """Return the numbers that a command line of evaluate.py writes."""

    def read(files):
        folder = files["OUT"].with_name("numbers")
        run(EVALUATE, f"{line} --out {folder}", files)
        (path,) = folder.rglob(name)
        values = json.loads(path.read_text())
        shutil.rmtree(folder)
        return values

    return read


def saved_directions(files):
    path = files["OUT"].with_name("saved.npz")
    line = f"attributes RUN --load MANIPULATE --save {path} --names Smiling --strengths 1 --shown 1 --video gif"
    numbers(line, "attributes*.json")(files)
    return load_attributes(path, 64).directions.tolist()


def named_in_the_table(line):
    """Return a function that gives the first column of the table of attributes that a command writes."""

    def read(files):
        folder = files["OUT"].with_name("table")
        options = f"--limit 80 --measured 4 --sampled 0 --shown 1 --video gif --out {folder}"
        with pytest.MonkeyPatch.context() as patch:  # the choice of the lengths takes seconds
            patch.setattr(calibration, "choose_factor", lambda measure: 1.0)
            run(EVALUATE, f"attributes {line} {options}", files)
        (path,) = folder.rglob("attributes*.md")
        names = [row.strip("| ").split(" | ")[0] for row in path.read_text().splitlines()[2:]]
        shutil.rmtree(folder)
        return names

    return read


RIGHT = {
    "option with an underscore": (printed("--run_dir RUN", "model", "width"), 8),
    "option with an equals sign": (printed("--run-dir=RUN", "model", "depth"), 1),
    "option given twice": (printed("--bits 4 --bits 5", "model", "bits"), 5),
    "number with an exponent": (printed("--learning-rate 1e-2", "training", "learning_rate"), 0.01),
    "run folder that ends in .keras": (
        lambda files: numbers("encode KERAS --limit 2", "encode*.json")(files)["images"],
        2,
    ),
    "source with a slash at its end": (
        lambda files: numbers("encode RUN --data folder:PICTURES/ --split train", "encode*.json")(files)["images"] > 9,
        True,
    ),
    "directions loaded and saved": (saved_directions, DIRECTIONS.tolist()),
    "attribute named twice": (named_in_the_table("RUN --names 3 3 7"), ["3", "7", "mean"]),
    "attribute called mean": (named_in_the_table("RUN --data folder:PICTURES"), ["mean", "other", "mean of all"]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_command_line_gives_the_right_number(case, runs):
    read, expected = RIGHT[case]
    assert read(runs) == expected
