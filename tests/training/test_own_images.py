"""Test the model that is chosen for a user's own images by the images."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from glow_tf import presets
from glow_tf.cli import train
from glow_tf.data import open_source
from glow_tf.errors import ConfigError, DataError
from glow_tf.runs import Run
from glow_tf.training import own_images
from helpers.commands import call, train_in_fork


def save(folder, *sizes, mode="RGB", color=(200, 90, 31), count=6):
    """Save images of one color in a folder; return its source."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        Image.new(mode, sizes[i % len(sizes)], color).save(folder / f"{i}.png")
    return f"folder:{folder}"


@pytest.mark.parametrize(
    ("sizes", "mode", "color", "image_shape", "bits", "text"),
    [
        ([(640, 480)], "RGB", (200, 90, 31), (128, 128, 3), 5, "(median 480); in color, which 6 have"),
        ([(80, 60), (300, 70)], "RGB", (9, 9, 9), (64, 64, 1), 5, "(median 65); gray, as none has color"),
        ([(40, 90)], "L", 7, (32, 32, 1), 5, "--bits 8 keeps the finest tones"),
        ([(32, 32)], "L", 16, (32, 32, 1), 4, "4 bits, enough for all their values"),
        ([(33, 32)], "L", 16, (32, 32, 1), 5, "the paper's"),
        ([(8, 8)], "RGB", (1, 2, 3), (32, 32, 3), 5, "in color"),
        ([(8, 8)], "L", 16, (8, 8, 1), 4, "the size of those of digits; 4 bits hold all values of the 6 of 6 images"),
        ([(8, 8)], "L", 3, (8, 8, 1), 8, "8 bits hold all values"),
    ],
)
def test_size_color_and_bits_are_those_of_the_images(sizes, mode, color, image_shape, bits, text, tmp_path):
    experiment, reasons = own_images.choose_experiment(save(tmp_path / "my cats", *sizes, mode=mode, color=color))
    assert (experiment.model.image_shape, experiment.model.bits) == (image_shape, bits)
    assert experiment.name == "folder_my_cats" and text in reasons
    open_source(experiment.data, image_shape)


def test_run_folder_that_is_given_is_the_only_one_that_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = save(tmp_path / "cats", (32, 32))
    for name in ("folder_cats", "custom"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("damaged")
    words = ["--run-dir", "new", "--print-config"]
    out, _ = call(train.main, train.NAME, "--source", source, *words)
    assert json.loads(out)["data"]["source"] == source
    out, _ = call(train.main, train.NAME, "--init-from", "digits", *words)
    assert json.loads(out)["name"] == "custom"
    _, err = call(train.main, train.NAME, "--source", source, "--print-config", code=2)
    assert "config.json cannot be read as a configuration" in err


def test_one_image_with_color_makes_the_model_one_of_color(tmp_path):
    source = save(tmp_path, (32, 32), mode="L", color=8)
    Image.new("RGB", (32, 32), (8, 8, 9)).save(tmp_path / "0.png")
    assert own_images.choose_experiment(source)[0].model.image_shape == (32, 32, 3)


def test_gray_model_of_color_images_does_not_claim_to_hold_their_values(tmp_path):
    experiment, reasons = own_images.choose_experiment(save(tmp_path, (32, 32), color=(16, 32, 240)), (32, 32, 1))
    assert experiment.model.bits == 5 and "the paper's" in reasons


@pytest.mark.parametrize("image_shape", [(64, 48, 3), (8, 8, 1), (256, 256, 3), (100, 100, 3)])
def test_levels_fit_the_shape_that_the_user_sets(image_shape, tmp_path):
    experiment, reasons = own_images.choose_experiment(save(tmp_path, (90, 90)), image_shape)
    assert experiment.model.image_shape == image_shape and "--image-shape" not in reasons
    assert min(image_shape[:2]) // 2**experiment.model.levels >= 4


def test_bundled_source_has_its_preset_and_one_that_is_not_there_is_refused(tmp_path):
    for source, name in (("bundled:faces", "faces"), ("bundled:photos", "photos"), ("bundled:mnist", "mnist5k")):
        assert own_images.choose_experiment(source)[0] == presets.get(name)
    with pytest.raises(DataError, match="there is no folder"):
        own_images.choose_experiment(f"folder:{tmp_path / 'nothing'}")
    with pytest.raises(ConfigError, match="expected kind:where"):
        own_images.choose_experiment("cats")


@pytest.mark.parametrize("size", [(32, 32), (8, 8)])
def test_damaged_image_is_counted_and_not_called_left_out_as_training_may_stop_at_it(size, tmp_path, caplog):
    source = save(tmp_path, size, mode="L", color=16)
    (tmp_path / "3.png").write_bytes(b"no picture")
    assert "5 of 6 images (1 more cannot be read)" in own_images.choose_experiment(source)[1]
    assert caplog.messages == []


def test_array_file_is_looked_at_as_well(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (30, 30, 50, 3), np.uint8))
    experiment, _ = own_images.choose_experiment(f"npy:{tmp_path / 'x.npy'}")
    assert experiment.model.image_shape == (32, 32, 3) and experiment.name == "npy_x"


def test_train_chooses_says_why_and_takes_the_choice_of_an_earlier_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = save(tmp_path / "cats", (70, 60))
    words = ["--source", source, "--depth", "1", "--print-config"]
    out, err = call(train.main, train.NAME, *words)
    config = json.loads(out)
    assert config["model"]["image_shape"] == [64, 64, 3] and config["model"]["depth"] == 1
    assert err.startswith(f"{source}: no --preset is given, so 6 of 6 images decide:\n  64x64 pixels")
    out, err = call(train.main, train.NAME, *words, "--image-shape", 16, 16, 1)
    assert json.loads(out)["model"]["levels"] == 2 and "pixels" not in err
    earlier = dataclasses.replace(own_images.choose_experiment(source)[0], name="photos")  # by --preset and --run-dir
    Run.create(tmp_path / "runs" / "folder_cats", earlier)
    save(tmp_path / "cats", (30, 30), count=50)
    out, err = call(train.main, train.NAME, *words)
    assert json.loads(out)["model"]["image_shape"] == [64, 64, 3] and "decide" not in err
    assert json.loads(out)["name"] == "folder_cats", "the training resumes in the folder of that run"
    out, err = call(train.main, train.NAME, *words, "--preset", "digits")
    assert json.loads(out)["model"]["image_shape"] == [8, 8, 1] and "decide" not in err


@pytest.mark.slow
def test_source_without_a_preset_trains_on_several_devices_and_names_its_choice_once(tmp_path):
    for i in range(40):
        Image.new("RGB", (12, 10), (6 * i, 0, 0)).save(tmp_path / f"{i}.png")
    words = "--levels 1 --depth 1 --width 8 --batch-size 4 --epoch-steps 1 --epochs 1".split()
    words += ["--source", f"folder:{tmp_path}", "--devices", 2, "--run-dir", tmp_path / "run"]
    out, err = train_in_fork(*words)
    assert err.count("40 of 40 images decide:\n  32x32 pixels") == 1
    assert "2 CPUs" in out and "32x32x3 at 5 bits" in out
