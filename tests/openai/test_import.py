"""Test that imported checkpoints give the original's latents, bits/dim and images, wherever a run is used."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import evaluate
from glow_tf import Glow, export, presets
from glow_tf.config import ModelConfig
from glow_tf.openai.original import Original
from glow_tf.openai.sources import AVERAGE
from glow_tf.runs import Run, RunError
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


@pytest.mark.parametrize("name", FORWARD_CASES)
def test_imported_checkpoint_matches_the_original(name, tmp_path):
    c = case(name)
    run_import(checkpoint_of(c, tmp_path), tmp_path / "run", *options(c))
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == c.config
    model = run.model()
    assert_is_the_original(model, c)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert loaded.config == model.config
    assert_weights(loaded, c, "var/")
    assert_close(loaded.bits_per_dim(c["x"], c.labels, noise=c.noise), c["bits_x"], 1e-5, "bits_x")


def assert_served(signatures, model, images, labels=None):
    """Check a SavedModel's `encode`, at the middle of each bin, and `bits_per_dim` against the model's."""
    inputs = {"images": tf.constant(images)} | ({} if labels is None else {"labels": tf.constant(labels)})
    encoded = signatures["encode"](**inputs)
    for i, expected in enumerate(model.encode(images, labels)):
        assert_close(encoded[f"eps_{i}"], expected, 1e-5, f"eps {i}")
    bits = signatures["bits_per_dim"](seed=tf.constant([1, 2]), **inputs)["bits_per_dim"]
    assert_close(bits, model.bits_per_dim(images, labels, seed=[1, 2]), 1e-5, "bits_x")


@pytest.mark.slow
def test_saved_model_of_an_imported_checkpoint_matches_the_original(tmp_path):
    """Compare `encode`, which has no noise argument in a SavedModel, with the loaded run at the middle of each bin."""
    c = case("case5_affine_1x1_ycond")
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    export.main([str(tmp_path / "run"), str(tmp_path / "saved")])
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    eps = {f"eps_{i}": tf.constant(e) for i, e in enumerate(c.eps())}
    decoded = signatures["decode"](**eps, labels=tf.constant(c.labels))
    assert_same_images(decoded["x"], decoded["images"], c)
    assert_served(signatures, Run.open(tmp_path / "run").model(), c["x"], c.labels)


@pytest.mark.parametrize(("average", "stored"), [(False, "end/test_stats_batch0"), (True, "..._swapped")])
def test_imported_raw_and_ema_weights_match_the_original(average, stored, tmp_path):
    """Check the run's model, and the same model from a .keras file."""
    c = TRAINED
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    model = Run.open(tmp_path / "run").model(average=average)
    model.save(tmp_path / "m.keras")
    loss = float(c[stored.replace("...", "end/test_stats_batch0")][0])
    for glow in (model, keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)):
        assert_weights(glow, c, "end/ema/" if average else "end/var/")
        bits = glow.bits_per_dim(c["x"][0], noise=c.noise[0])
        assert float(np.mean(bits)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_saved_model_of_imported_ema_weights_matches_the_run(tmp_path):
    c = TRAINED
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    export.main([str(tmp_path / "run"), str(tmp_path / "saved"), "--average"])
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    assert_served(signatures, Run.open(tmp_path / "run").model(average=True), c["x"][0])


@pytest.mark.parametrize("name", ["case3_affine_shuffle", "case6_affine_lu"])
def test_ema_checkpoint_with_untrained_variables_is_imported_as_weights(name, tmp_path, capsys):
    """Read the plain names that `m.save_ema` writes where there is no EMA: shuffles, fixed parts of the LU form."""
    c = case(name)
    averaged = {n + AVERAGE if n in c.trainable_names else n: v for n, v in weights(c).items()}
    assert 0 < sum(not n.endswith(AVERAGE) for n in averaged) < len(averaged)
    write_checkpoint(tmp_path / "ema.ckpt", averaged)
    run_import(tmp_path / "ema.ckpt", tmp_path / "run", *options(c))
    assert "averages alone" in capsys.readouterr().out
    assert_is_the_original(Run.open(tmp_path / "run").model(), c)


@pytest.mark.parametrize("which", ["ema_noswap", "ema_swapped"])
def test_ema_only_checkpoint_is_imported_as_weights(which, tmp_path, capsys):
    c = TRAINED
    run_import(c.checkpoint.with_name(f"{which}.ckpt"), tmp_path / "run", *options(c))
    assert "averages alone" in capsys.readouterr().out
    assert_weights(Run.open(tmp_path / "run").model(), c, "end/var/" if which == "ema_noswap" else "end/ema/")


def test_import_accepts_every_form_of_checkpoint_path(tmp_path):
    c = case("case1_affine_1x1")
    for path in (f"{c.checkpoint}.index", f"{c.checkpoint}.data-00000-of-00001", c.checkpoint.parent):
        assert Original(pathlib.Path(path), bits=8, image_size=(32, 32)).model.config.depth == 2


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


def test_evaluate_accepts_an_imported_run(tmp_path, capsys):
    """Evaluate a run without averaged weights, which other runs have."""
    c = case("case3_affine_shuffle")
    run_import(checkpoint_of(c, tmp_path), tmp_path / "run", *options(c))
    np.savez(tmp_path / "images.npz", **dict.fromkeys(("train", "validation", "test"), c["x"]))
    evaluate.main(["bits", str(tmp_path / "run"), "--data", f"npz:{tmp_path / 'images.npz'}"])
    values = json.loads((tmp_path / "run" / "evaluation" / "bits.json").read_text())
    assert values["raw"]["bits_per_dim"] == pytest.approx(float(np.mean(c["bits_x"])), abs=0.02)  # other noise
    assert "averaged" not in values
    with pytest.raises(RunError, match="holds raw weights alone, and no averaged ones"):
        evaluate.main(["bits", str(tmp_path / "run"), "--average", "--data", f"npz:{tmp_path / 'images.npz'}"])
