"""Test the table of the bits/dim of one's own images."""

import csv
import dataclasses
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from glow_tf.config import SplitRecord
from glow_tf.errors import ConfigError, DataError, RunError
from glow_tf.evaluation import commands, image_bits
from glow_tf.evaluation.file_names import file_suffix
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run
from helpers.source_cases import save_pictures
from helpers.tiny_runs import make_run

pytestmark = pytest.mark.usefixtures("without_graphs")  # `test_reported_bits.py` runs them in graphs

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Write images of noise in folders of two classes, one with a name in Latin-1; return the folder."""
    for name in ("b", "a"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        save_pictures(tmp_path / "mine" / name, PICTURES[..., 0])
    os.rename(tmp_path / "mine" / "a" / "1.png", os.fsencode(tmp_path / "mine" / "a") + b"/\xe9.png")
    return tmp_path / "mine"


def rows(path):
    with open(path, newline="", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def measure(run, folder, out, **options):
    target = {name: options.pop(name) for name in ("ema", "data", "fit", "on_damaged") if name in options}
    commands.bits(TargetOptions(str(run), out=str(out), **target), images=str(folder), **options)
    suffix = file_suffix(commands.bits, **{name: options[name] for name in ("draws", "limit") if name in options})
    return rows(out / f"bits_per_image{suffix}.csv")


def test_table_of_a_folder_has_the_mean_of_each_image_over_the_draws(one_level_run, folder, tmp_path, capsys):
    table = measure(one_level_run, folder, tmp_path / "out", draws=3)
    names = ["a/0.png", "a/2.png", "a/\udce9.png", "b/0.png", "b/1.png", "b/2.png"]
    assert [row["path"] for row in table] == names and [row["class"] for row in table] == [*"aaabbb"]
    model = Run(one_level_run).model()
    noise = np.stack([image_bits._noise("b/1.png", draw, (8, 8, 1)) for draw in range(3)])
    bits = model.bits_per_dim(np.repeat(PICTURES[1:2], 3, 0), noise=noise).numpy()
    assert float(table[4]["bits_per_dim"]) == pytest.approx(bits.mean(), abs=1e-5)
    assert float(table[4]["error"]) == pytest.approx(bits.std(ddof=1) / 3**0.5, abs=1e-5)
    mean = np.mean([float(row["bits_per_dim"]) for row in table])
    assert f"6 images, raw weights: mean {mean:.4f} bits/dim" in capsys.readouterr().out
    for row, again in zip(table, measure(one_level_run, folder, tmp_path / "out", draws=3, batch_size=4), strict=True):
        assert float(row["bits_per_dim"]) == pytest.approx(float(again["bits_per_dim"]), abs=1e-5)
    (one,) = measure(one_level_run, folder, tmp_path / "out", draws=1, limit=1, ema=True)
    noise = image_bits._noise("a/0.png", 0, (8, 8, 1))[None]
    bits = [
        float(Run(one_level_run).model(ema=ema).bits_per_dim(PICTURES[:1], noise=noise)[0]) for ema in (False, True)
    ]
    assert one["error"] == "" and float(one["bits_per_dim"]) == pytest.approx(bits[1], abs=1e-5) != bits[0]
    expected = ["bits_per_image_draws_1_limit_1.csv", "bits_per_image_draws_3.csv"]
    assert sorted(os.listdir(tmp_path / "out")) == expected


@pytest.mark.slow
def test_damaged_image_stops_the_measurement_or_is_left_out(one_level_run, folder, tmp_path, caplog):
    # The logs of a test are sent between processes, as UTF-8.
    os.rename(os.fsencode(folder / "a") + b"/\xe9.png", folder / "a" / "1.png")
    (folder / "a" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a/0.png .*\(--on-damaged skip\) leaves such images out"):
        measure(one_level_run, folder, tmp_path / "out", draws=1)
    table = measure(one_level_run, folder, tmp_path / "out", draws=1, batch_size=2, on_damaged="skip")
    assert [row["path"] for row in table] == ["a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png"]
    assert [row["class"] for row in table] == [*"aabbb"] and "left out: " in caplog.text
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"none of the images \(6\) can be read"):
        measure(one_level_run, folder, tmp_path / "out", draws=1, on_damaged="skip")


@pytest.mark.slow
def test_labels_of_a_conditional_model_are_the_recorded_names_of_folders(tiny_conditional_run, folder, tmp_path):
    run = Run(shutil.copytree(tiny_conditional_run, tmp_path / "run"))
    names = ("b", *"defghijk", "a")
    experiment = run.experiment()
    record = SplitRecord("position", 0, classes=names)
    run.write_config(dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, split_record=record)))
    table = measure(run.path, folder, tmp_path / "out", draws=1)
    model = run.model()
    noise = image_bits._noise("b/1.png", 0, (8, 8, 1))[None]
    expected = [float(model.bits_per_dim(PICTURES[1:2], [label], noise=noise)[0]) for label in (0, 1)]
    assert abs(expected[0] - expected[1]) > 1e-3, "the label does not matter"
    assert float(table[4]["bits_per_dim"]) == pytest.approx(expected[0], abs=1e-5)
    files = image_bits.list_folder(folder)
    assert image_bits.class_labels(files, names, 10).tolist() == [9, 9, 9, 0, 0, 0]
    assert image_bits.class_labels(files, None, 2).tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(DataError, match="a/0.png lies in no folder of a class of the model, b, c; move it into one"):
        image_bits.class_labels(files, ("b", "c"), 2)
    with pytest.raises(DataError, match="in the folders of 2 classes, the model has 3"):
        image_bits.class_labels(files, None, 3)


@pytest.mark.slow
def test_labels_of_a_model_of_attributes_are_their_combinations(folder, tmp_path):
    run = Run(make_run(tmp_path / "run", classes=16))
    experiment = run.experiment()
    data = dataclasses.replace(experiment.data, class_attributes=("smiling", "bun", "beard", "hat"))
    run.write_config(dataclasses.replace(experiment, data=data))
    os.rename(folder / "a", folder / "smiling + hat")
    os.rename(folder / "b", folder / "bun")  # label 2; sorted by name it would be another
    table = measure(run.path, folder, tmp_path / "out", draws=1)
    noise = image_bits._noise("bun/1.png", 0, (8, 8, 1))[None]
    expected = run.model().bits_per_dim(PICTURES[1:2], [2], noise=noise)
    assert table[1]["class"] == "bun" and float(table[1]["bits_per_dim"]) == pytest.approx(float(expected[0]), abs=1e-5)


@pytest.mark.slow
def test_folder_that_cannot_be_measured_writes_nothing(one_level_run, folder, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="give --images or --data, not both"):
        measure(one_level_run, folder, out, data="bundled:digits")
    with pytest.raises(DataError, match="there is no folder"):
        measure(one_level_run, tmp_path / "nothing", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there are no images in"):
        measure(one_level_run, tmp_path / "empty", out)
    (folder / "b" / "2.png").write_bytes(b"half")
    with pytest.raises(DataError, match=r"2.png cannot be read as an image"):
        measure(one_level_run, folder, out, draws=1)
    (folder / "b" / "2.png").unlink()
    Image.fromarray(np.zeros([9, 12], np.uint8)).save(folder / "large.png")
    with pytest.raises(DataError, match="an image is 9x12, the model takes 8x8, and fit=exact"):
        measure(one_level_run, folder, out, draws=1, fit="exact")
    assert not out.exists()
    table = measure(one_level_run, folder, out, draws=1)
    assert len(table) == 6 and "class" not in table[0], "an image lies beside the folders of classes"
    (path,) = out.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.raises(RunError, match="cannot write .*bits_per_image_draws_1.csv"):
        measure(one_level_run, folder, out, draws=1)
    assert list(out.iterdir()) == [path]
