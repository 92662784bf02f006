"""The original's checkpoints come in: the same latents, bits/dim and images, averages and optimizer."""

import pathlib
import subprocess
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from originals import assert_is_the_original, assert_same_images, assert_weights, options, run_import
from parity import assert_close, case
from training.commands import ROOT, command, environment

from glow_tf import export
from glow_tf.openai import original_names
from glow_tf.openai.original import Original
from glow_tf.runs import Run
from glow_tf.training.state import TrainingState

WITH_CHECKPOINT = ("case1_affine_1x1", "case5_affine_1x1_ycond")
TRAINED = case("case7_train_adamax")


@pytest.mark.parametrize("name", WITH_CHECKPOINT)
def test_an_imported_model_is_the_original(name, tmp_path):
    c = case(name)
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == c.config
    model = run.model()
    assert_is_the_original(model, c)
    model.save(tmp_path / "m.keras")
    assert_is_the_original(keras.saving.load_model(tmp_path / "m.keras", safe_mode=True), c)


@pytest.mark.parametrize("name", WITH_CHECKPOINT)
def test_and_again_from_a_saved_model(name, tmp_path):
    """Its `encode` stands at the middle of each bin, where the loaded run is the reference."""
    c = case(name)
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    model = Run.open(tmp_path / "run").model()
    export.main([str(tmp_path / "run"), str(tmp_path / "saved")])
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    labels = {} if c.labels is None else {"labels": tf.constant(c.labels)}
    decoded = signatures["decode"](**{f"eps_{i}": tf.constant(e) for i, e in enumerate(c.eps())}, **labels)
    assert_same_images(decoded["x"], decoded["images"], c)
    encoded = signatures["encode"](images=tf.constant(c["x"]), **labels)
    for i, expected in enumerate(model.encode(c["x"], c.labels)):
        assert_close(encoded[f"eps_{i}"], expected, 1e-5, f"eps {i}")
    bits = signatures["bits_per_dim"](images=tf.constant(c["x"]), seed=tf.constant([1, 2]), **labels)["bits_per_dim"]
    assert_close(bits, model.bits_per_dim(c["x"], c.labels, seed=[1, 2]), 1e-5, "bits_x")


@pytest.mark.parametrize(("average", "stored"), [(False, "end/test_stats_batch0"), (True, "..._swapped")])
def test_a_trained_model_with_its_averages(average, stored, tmp_path):
    c = TRAINED
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    model = Run.open(tmp_path / "run").model(average=average)
    assert_weights(model, c, "end/ema/" if average else "end/var/")
    bits = model.bits_per_dim(c["x"][0], noise=c.noise[0])
    loss = c[stored.replace("...", "end/test_stats_batch0")][0]
    assert float(np.mean(bits)) == pytest.approx(float(loss), rel=1e-5)


def test_the_state_of_the_optimizer_comes_along(tmp_path):
    c = TRAINED
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    run = Run.open(tmp_path / "run")
    state = TrainingState(run.experiment(), run)
    assert state.restore()
    assert state.steps == int(state.optimizer.iterations) == len(c["lr"]) == int(c["end/slot/t"]) - 1
    names = {id(v): n for n, v in original_names(state.model).items()}
    slots = (state.optimizer.first_moments, state.optimizer.second_moments, state.average.shadows)
    for variable, *values in zip(state.model.trainable_variables, *slots, strict=True):
        name = names[id(variable)]
        for value, prefix in zip((variable, *values), ("var", "slot/m1", "slot/m2", "ema"), strict=True):
            np.testing.assert_array_equal(value, c[f"end/{prefix}/{name}"], err_msg=f"{prefix}/{name}")


@pytest.mark.slow
def test_training_goes_on(tmp_path):
    """`train.py` takes the run up at step 12 and counts on."""
    c = TRAINED
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (64, 16, 16, 3), np.uint8))
    run_dir = tmp_path / "run"
    data = f"npz:{tmp_path / 'images.npz'}"
    run_import(c.checkpoint, run_dir, *options(c), "--data", data, "--batch-size", 8)
    process = subprocess.Popen(
        command("--run-dir", run_dir, "--checkpoint-minutes", "1e-6"),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not [p for p in run_dir.glob("checkpoints/ckpt-*.index") if p.name != "ckpt-12.index"]:
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    out, _ = process.communicate(timeout=120)
    assert "step 12 so far" in out and "stopped by SIGTERM at step 1" in out


@pytest.mark.parametrize("which", ["ema_noswap", "ema_swapped"])
def test_averages_alone_come_in_as_weights(which, tmp_path, capsys):
    c = TRAINED
    run_import(c.checkpoint.with_name(f"{which}.ckpt"), tmp_path / "run", *options(c))
    assert "averages alone" in capsys.readouterr().out
    assert_weights(Run.open(tmp_path / "run").model(), c, "end/var/" if which == "ema_noswap" else "end/ema/")


def test_paths_of_every_form(tmp_path):
    c = case("case1_affine_1x1")
    for path in (f"{c.checkpoint}.index", f"{c.checkpoint}.data-00000-of-00001", c.checkpoint.parent):
        assert Original(pathlib.Path(path), bits=8, image_size=(32, 32)).model.config.depth == 2
