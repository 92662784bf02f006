"""Test that imported checkpoints give latents, bits/dim and images of the original code, wherever a run is used."""

import dataclasses
import functools
import importlib
import json
import pathlib
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow, deprecation, presets
from glow_tf.cli import evaluate, export
from glow_tf.config import ModelConfig, RunOptions
from glow_tf.convert.openai_glow import original_names
from glow_tf.convert.openai_glow.checkpoint import OpenAIGlowCheckpoint
from glow_tf.convert.openai_glow.names import EMA_SUFFIX
from glow_tf.errors import ConversionError, DataError, RunError
from glow_tf.export import saved_model
from glow_tf.pictures import save_png
from glow_tf.runs import Run
from glow_tf.training.trainer import Trainer
from helpers import layer_cases
from helpers.golden import FORWARD_CASES, assert_close, case
from helpers.openai_checkpoints import (
    assert_is_the_original,
    assert_same_images,
    assert_weights,
    checkpoint_of,
    options,
    run_import,
    weights,
    write_checkpoint,
    write_model,
)

TRAINED = case("case7_train_adamax")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Return a function that gives the run of an imported `Case`, into which tests must not write."""

    @functools.cache
    def run_of(golden):
        folder = tmp_path_factory.mktemp(golden.name)
        run_import(checkpoint_of(golden, folder), folder / "run", *options(golden))
        return Run.open(folder / "run")

    return run_of


@pytest.mark.parametrize("name", FORWARD_CASES)
def test_imported_checkpoint_matches_the_original(name, imported):
    golden = case(name)
    run = imported(golden)
    assert run.experiment().model == golden.config
    assert_is_the_original(run.model(), golden)


@pytest.mark.parametrize("name", ["case3_affine_shuffle", "case5_affine_1x1_ycond", "case6_affine_lu"])
def test_keras_file_of_an_imported_model_holds_the_original_weights(name, imported, tmp_path):
    golden = case(name)
    imported(golden).model().save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert loaded.config == golden.config
    assert_weights(loaded, golden, "var/")


def assert_served(signatures, model, images, labels):
    """Check a SavedModel's `encode`, at the middle of each bin, and `bits_per_dim` against the model's."""
    inputs = {"images": tf.constant(images), "labels": tf.constant(labels)}
    encoded = signatures["encode"](**inputs)
    for i, expected in enumerate(model.encode(images, labels)):
        assert_close(encoded[f"eps_{i}"], expected, 1e-5, f"eps {i}")
    bits = signatures["bits_per_dim"](seed=tf.constant([1, 2]), **inputs)["bits_per_dim"]
    assert_close(bits, model.bits_per_dim(images, labels, seed=[1, 2]), 1e-5, "bits_x")


@pytest.mark.slow
def test_saved_model_of_an_imported_checkpoint_matches_the_original(imported, tmp_path):
    """Compare `encode`, which has no noise argument in a SavedModel, with the loaded run at the middle of each bin."""
    golden = case("case5_affine_1x1_ycond")
    run = imported(golden)
    export.main([str(run.path), str(tmp_path / "saved")])
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    eps = {f"eps_{i}": tf.constant(e) for i, e in enumerate(golden.eps())}
    decoded = signatures["decode"](**eps, labels=tf.constant(golden.labels))
    assert_same_images(decoded["x"], decoded["images"], golden)
    assert_served(signatures, run.model(), golden["x"], golden.labels)


@pytest.mark.parametrize(
    ("ema", "key"), [(False, "end/test_stats_batch0"), (True, "end/test_stats_batch0_swapped")], ids=["raw", "ema"]
)
def test_imported_raw_and_ema_weights_match_the_original(ema, key, imported, tmp_path):
    """Check the run's model, and the same model from a .keras file."""
    golden = TRAINED
    model = imported(golden).model(ema=ema)
    model.save(tmp_path / "m.keras")
    for glow in (model, keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)):
        assert_weights(glow, golden, "end/ema/" if ema else "end/var/")
    bits = model.bits_per_dim(golden["x"][0], noise=golden.noise[0])
    assert float(np.mean(bits)) == pytest.approx(float(golden[key][0]), rel=1e-5)


def test_export_of_imported_ema_weights_takes_them(imported, tmp_path, monkeypatch):
    exported = []
    monkeypatch.setattr(saved_model, "export_model", lambda glow, *_: exported.append(glow))
    export.main([str(imported(TRAINED).path), str(tmp_path / "saved"), "--ema"])
    (glow,) = exported
    assert_weights(glow, TRAINED, "end/ema/")


@pytest.mark.parametrize("name", ["case3_affine_shuffle", "case6_affine_lu"])
def test_ema_checkpoint_with_untrained_variables_is_imported_as_weights(name, tmp_path, capsys):
    """Read the plain names that `m.save_ema` writes where there is no EMA: shuffles, fixed parts of the LU form."""
    golden = case(name)
    values = {n + EMA_SUFFIX if n in golden.trainable_names else n: v for n, v in weights(golden).items()}
    assert 0 < sum(not n.endswith(EMA_SUFFIX) for n in values) < len(values)
    write_checkpoint(tmp_path / "ema.ckpt", values)
    run_import(tmp_path / "ema.ckpt", tmp_path / "run", *options(golden))
    assert "EMA names alone" in capsys.readouterr().out
    assert_weights(Run.open(tmp_path / "run").model(), golden, "var/")


@pytest.mark.parametrize("which", ["ema_noswap", "ema_swapped"])
def test_ema_only_checkpoint_is_imported_as_weights(which, tmp_path, capsys):
    golden = TRAINED
    run_import(golden.checkpoint.with_name(f"{which}.ckpt"), tmp_path / "run", *options(golden))
    assert "EMA names alone" in capsys.readouterr().out
    assert_weights(Run.open(tmp_path / "run").model(), golden, "end/var/" if which == "ema_noswap" else "end/ema/")


def test_import_accepts_every_form_of_checkpoint_path():
    golden = case("case1_affine_1x1")
    for path in (f"{golden.checkpoint}.index", f"{golden.checkpoint}.data-00000-of-00001", golden.checkpoint.parent):
        assert OpenAIGlowCheckpoint(pathlib.Path(path), bits=8, image_size=(32, 32)).model.config.depth == 2


def test_import_of_non_square_gray_images(tmp_path):
    glow = Glow(ModelConfig(image_shape=(8, 12, 1), bits=5, levels=2, depth=1, width=4))
    layer_cases.perturb(glow.trainable_variables, np.random.default_rng(1), 0.05)
    write_model(tmp_path / "m.ckpt", glow)
    run_import(tmp_path / "m.ckpt", tmp_path / "run", "--bits", 5, "--image-size", 8, 12)
    model = Run.open(tmp_path / "run").model()
    assert model.config == glow.config
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 1), np.uint8)
    np.testing.assert_array_equal(model.bits_per_dim(images, seed=1), glow.bits_per_dim(images, seed=1))
    np.testing.assert_array_equal(model.decode(model.encode(images)), images // 8 * 8)


@pytest.mark.parametrize("name", ["digits", "cifar10", "cifar10_conditional"])
def test_import_takes_data_and_training_from_a_matching_preset(name, tmp_path, monkeypatch):
    """Make the presets' models small."""
    preset = presets.get(name)
    preset = dataclasses.replace(preset, model=dataclasses.replace(preset.model, depth=1, width=4))
    monkeypatch.setitem(presets.PRESETS, name, preset)
    write_model(tmp_path / "m.ckpt", Glow(preset.model))
    size = ("--bits", preset.model.bits, "--image-size", preset.model.image_shape[0])
    run_import(tmp_path / "m.ckpt", tmp_path / "run", *size, "--preset", name)
    experiment = Run.open(tmp_path / "run").experiment()
    assert (experiment.model, experiment.data, experiment.training, experiment.name) == (
        preset.model,
        preset.data,
        preset.training,
        name,
    )


def test_evaluate_accepts_an_imported_run(imported, tmp_path, monkeypatch):
    """Evaluate a run without EMA weights, which other runs have."""
    golden = case("case3_affine_shuffle")
    shutil.copytree(imported(golden).path, tmp_path / "run")
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)  # where a folder of a usual name holds other images
    save_png(tmp_path / "images" / "a.png", golden["x"][0])
    with pytest.raises(DataError, match="^this run was imported without images: give --data to evaluate it; "):
        evaluate.main(["bits", str(tmp_path / "run")])
    with pytest.raises(DataError, match="^this run was imported without images"):
        Trainer(Run(tmp_path / "run").experiment(), RunOptions(str(tmp_path / "run")), tf.distribute.get_strategy())
    np.savez(tmp_path / "images.npz", **dict.fromkeys(("train", "validation", "test"), golden["x"]))
    evaluate.main(["bits", str(tmp_path / "run"), "--data", f"npz:{tmp_path / 'images.npz'}", "--draws", "2"])
    (path,) = (tmp_path / "run" / "evaluation").glob("*/bits_draws_2.json")  # of other images than the run's
    values = json.loads(path.read_text())
    assert values["raw"]["bits_per_dim"] == pytest.approx(float(np.mean(golden["bits_x"])), abs=0.02)  # other noise
    assert "ema" not in values and "averaged" not in values
    with pytest.raises(RunError, match="holds one set of weights, and no EMA weights besides"):
        evaluate.main(["bits", str(tmp_path / "run"), "--ema", "--data", f"npz:{tmp_path / 'images.npz'}"])


@pytest.fixture
def forget_warnings(monkeypatch):
    """Forget which renames were warned about, so that the test gets its own warning."""
    monkeypatch.setattr(deprecation, "_warned", set())
    monkeypatch.delitem(sys.modules, "glow_tf.openai", raising=False)


def test_old_package_name_works_and_warns(forget_warnings):
    package = importlib.import_module("glow_tf.openai")
    with pytest.warns(DeprecationWarning, match="glow_tf.openai is now glow_tf.convert.openai_glow"):
        assert package.original_names is original_names


def test_old_command_name_works_and_warns(forget_warnings):
    command = importlib.import_module("glow_tf.openai.__main__")
    with (
        pytest.warns(DeprecationWarning, match="python -m glow_tf.openai is now glow-tf convert"),
        pytest.raises(ConversionError, match="expected CHECKPOINT"),
    ):
        command.main([])
