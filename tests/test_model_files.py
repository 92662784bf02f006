"""Test models from presets, run folders and files."""

import dataclasses
import json
import shlex
import shutil

import numpy as np
import pytest

from experiments.pretrained import card
from experiments.pretrained.card import CHECKED_IMAGES, first_test_images, mean_bits_per_dim
from experiments.pretrained.compression import compress
from experiments.pretrained.top_levels import LOWER_LEVELS
from glow_tf import Attributes, Glow, ModelConfig, load_attributes, model_files, presets
from glow_tf.cli import export, train
from glow_tf.data import face_drawings, faces
from glow_tf.demo.held_out_images import read_packaged_images
from glow_tf.demo.session import open_session
from glow_tf.errors import ConfigError, DataError, GlowError, RunError
from glow_tf.evaluation import trained_model
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.export import saved_model
from glow_tf.latents import flatten_latents
from glow_tf.metrics_table import MetricsTable
from glow_tf.model_files import load_weights_file
from glow_tf.runs import Run
from glow_tf.training import initial_weights
from glow_tf.weights_file import check_seal, written_config, written_digest

PACKAGED = sorted(filter(model_files.packaged_weights, presets.PRESETS))


def test_new_model_of_a_preset():
    glow = Glow.from_preset("digits", load_weights=False)
    assert glow.config == presets.get("digits").model and glow.uninitialized


def test_model_of_a_run_folder_or_a_keras_file(tiny_run, tmp_path):
    expected = Run(tiny_run).model(ema=True)
    glow = Glow.from_preset(tiny_run, ema=True)
    for ours, theirs in zip(glow.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    glow.save(tmp_path / "a.keras")
    loaded = Glow.from_preset(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], expected.get_weights()[0])
    Glow(glow.config, dtype="float64").save(tmp_path / "b.keras")
    assert Glow.from_preset(tmp_path / "b.keras", load_weights=False).compute_dtype == "float64"
    with pytest.raises(RunError, match="a.keras holds one set of weights, and no EMA weights besides"):
        Glow.from_preset(tmp_path / "a.keras", ema=True)
    with pytest.raises(RunError, match="digits holds one set of weights, and no EMA weights besides"):
        Glow.from_preset("digits", ema=True)
    fresh = Glow.from_preset(str(tiny_run), load_weights=False)
    assert fresh.config == expected.config and fresh.uninitialized


def test_preset_without_weights_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no weights of the preset cifar10 come with glow_tf, .* load_weights=False"):
        Glow.from_preset("cifar10")
    with pytest.raises(ConfigError, match="expected the name of a preset, .*, got 'cifar11'. Did you mean cifar10?"):
        Glow.from_preset("cifar11")
    with pytest.raises(RunError, match="is not a run folder"):
        Glow.from_preset(tmp_path)


@pytest.mark.slow
def test_run_folder_counts_before_the_preset_of_its_name_and_nothing_else_does(tiny_run, tmp_path, monkeypatch):
    readers = (
        lambda path: Glow.from_preset(path, load_weights=False).config,
        lambda path: open_context(TargetOptions(path)).model.config,
        lambda path: initial_weights.starting_experiment(path).model,
    )
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "digits"
    for make, remove in ((folder.touch, folder.unlink), (folder.mkdir, folder.rmdir)):
        make()
        for read in readers:
            assert read("digits") == presets.get("digits").model
            with pytest.raises(GlowError, match="run folder"):
                read("./digits")
        remove()
    shutil.copytree(tiny_run, folder)
    for read in readers:
        assert read("digits") == read("./digits") == Run(tiny_run).experiment().model
    with pytest.warns(UserWarning, match="the attributes of digits are directions in .* has other weights"):
        model_files.warn_of_other_weights("digits", "digits")
    (folder / "config.json").unlink()
    for read in readers:
        with pytest.raises(RunError, match="digits is not a run folder"):
            read("digits")


def test_file_of_attributes_counts_before_the_preset_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert len(load_attributes("digits").names) == 10
    with pytest.raises(DataError, match="digits"):
        load_attributes("./digits")
    (tmp_path / "digits").rmdir()
    (tmp_path / "digits").write_text("a note")
    assert len(load_attributes("digits").names) == 10
    Attributes(("mine",), np.ones((1, 64), np.float32)).save("a.npz")
    (tmp_path / "a.npz").replace("digits")
    assert load_attributes("digits").names == load_attributes("./digits").names == ("mine",)


def test_packaged_weights_are_those_of_their_preset(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    shutil.copy(Run(tiny_run).weights_path(), tmp_path / "digits.weights.h5")
    with pytest.raises(RunError, match="was written with another configuration"):
        Glow.from_preset("digits")


def test_commands_open_a_preset_with_weights_as_their_options_say(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    shutil.copy(Run(tiny_run).weights_path(), tmp_path / "digits.weights.h5")
    digits = presets.get("digits")
    model, data = Run(tiny_run).experiment().model, dataclasses.replace(digits.data, labels=True)
    monkeypatch.setitem(presets.PRESETS, "digits", dataclasses.replace(digits, model=model, data=data))
    assert open_context(TargetOptions("digits", class_attributes=("bun",))).data.class_attributes == ("bun",)
    with pytest.raises(RunError, match="digits holds one set of weights, and no EMA weights besides"):
        Glow.from_preset("digits", ema=True)
    exported = []
    monkeypatch.setattr(saved_model, "export_model", lambda glow, *_: exported.append(glow.get_weights()[0]))
    monkeypatch.chdir(tmp_path)
    export.main(["digits", "out"])
    np.testing.assert_array_equal(exported[0], Run(tiny_run).model().get_weights()[0])


def first_faces(image_shape):
    """Draw the first test images of `bundled:faces` alone, which takes a second instead of a minute."""
    paint, first = face_drawings.Painter(), faces.COUNTS["train"]
    features = face_drawings.list_features(first + CHECKED_IMAGES)[first:]
    images = np.stack([paint(face) for face in features])
    return faces.halved(images) if image_shape[0] == faces.SMALL_SIZE else images


def read_card(name):
    return json.loads((model_files.PACKAGED_WEIGHTS / f"{name}.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_weights_are_as_good_as_their_card_says_and_their_attributes_belong_to_them(name):
    glow = Glow.from_preset(name)
    expected = read_card(name)["first_test_images"]["bits_per_dim"]
    images = first_faces(glow.image_shape) if "faces" in name else first_test_images(presets.get(name))
    assert mean_bits_per_dim(glow, images) == pytest.approx(expected, abs=1e-4)
    attributes, real = load_attributes(name), read_packaged_images(name)
    positions = attributes.positions(flatten_latents(glow.encode(real.images)))
    for attribute, column in zip(attributes.names, positions.T, strict=True):
        present = np.array([attribute in words.split(", ") for words in real.words])
        assert column[present].mean() > column[~present].mean(), attribute
    context = open_context(TargetOptions(name))
    assert context.data == presets.get(name).data and context.out.name == f"{name}_evaluation"
    np.testing.assert_array_equal(context.model.get_weights()[0], glow.get_weights()[0])
    with pytest.raises(
        RunError, match="holds one set of weights, and no EMA weights besides; leave the option ema out"
    ):
        open_context(TargetOptions(name, ema=True))


@pytest.mark.slow
def test_page_of_a_preset_opens_without_its_data(monkeypatch):
    def draw(*_, **__):
        raise AssertionError("the images come with the package")

    monkeypatch.setattr(trained_model, "open_source", draw)
    session = open_session("faces")
    described = session.describe()
    assert session.directions.status() == {"state": "ready", "names": list(load_attributes("faces").names)}
    assert described["name"] == "faces"
    assert len(described["test_images"]) == 24 and described["noun"] == "face" and described["data_error"] is None
    assert "licensed under CC BY 4.0" in described["credits"] and "smiling" in " ".join(described["test_names"])


@pytest.mark.slow
def test_attributes_of_other_weights_and_presets_without_attributes_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no attributes of the preset cifar10 come with glow_tf, only those of dig"):
        load_attributes("cifar10")
    for path in model_files.PACKAGED_WEIGHTS.glob("digits.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load_attributes("digits", 64).directions.shape == (10, 64)
    Glow.from_preset("digits", load_weights=False).save_weights(tmp_path / "digits.weights.h5")
    for read in (load_attributes, open_session):
        with pytest.raises(RunError, match="attributes of other weights than digits.weights.h5; install"):
            read("digits")
    (tmp_path / "digits.attributes.npz").unlink()
    with pytest.raises(ConfigError, match="only those of none"):
        load_attributes("digits")


def test_card_tells_the_command_and_the_time_of_the_training(tmp_path):
    for name in PACKAGED:
        written, model = read_card(name), presets.get(name).model
        trained = train.parse(shlex.split(written["command"])[2:])[0]
        lower = dataclasses.replace(model, levels=LOWER_LEVELS) if "top_levels" in written else model
        card.check_model(trained, dataclasses.replace(presets.get(name), model=lower))
        assert written["model"] == json.loads(json.dumps(dataclasses.asdict(model))) and written["license"] == "MIT"
    first = presets.get("faces")
    changed = dataclasses.replace(
        first,
        model=dataclasses.replace(first.model, network_dtype="bfloat16", recompute=True),
        data=dataclasses.replace(first.data, flip=True),
        training=dataclasses.replace(first.training, epochs=80, beta2=None),
    )
    expected = "--preset faces --network-dtype bfloat16 --recompute True --flip --beta2 None --epochs 80"
    assert card.training_command(changed, first) == f"python train.py {expected}"
    with pytest.raises(ConfigError, match="another model than the preset faces, in recompute"):
        card.check_model(changed, first)
    table = MetricsTable(tmp_path / "metrics.csv")
    for epoch, rate in enumerate((100.0, 1.0, 100.0), 1):
        table.append({"epoch": epoch, "step": epoch, "images": 1000 * epoch, "images_per_second": rate})
    assert card.training_seconds(Run(tmp_path)) == 30


def test_compressed_weights_are_the_same_in_a_smaller_file(tmp_path):
    config = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=32)
    written, read, path = Glow(config), Glow(dataclasses.replace(config, init_seed=1)), tmp_path / "a.weights.h5"
    written.save_weights(path)
    digest, size = written_digest(path), path.stat().st_size
    compress(path)
    assert path.stat().st_size < 0.9 * size and written_digest(path) == digest and written_config(path)
    check_seal(path)
    load_weights_file(read, path)
    for ours, theirs in zip(read.get_weights(), written.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_packaged_files_are_small():
    sizes = {path.name: path.stat().st_size for path in model_files.PACKAGED_WEIGHTS.iterdir()}
    assert 0 < sum(sizes.values()) <= 12_000_000
    assert max(size for name, size in sizes.items() if name.endswith("attributes.npz")) <= 280_000
