"""Test that optimizer state and EMA are imported with the weights of the original code, so that training resumes."""

import dataclasses
import time

import numpy as np
import pytest

from glow_tf.convert.openai_glow import original_names
from glow_tf.runs import Run
from glow_tf.training.optimizers import Adam, Adamax
from glow_tf.training.state import TrainingState
from helpers.commands import command, environment
from helpers.forks import Fork
from helpers.golden import TRAINING_CASES, assert_close, case
from helpers.openai_checkpoints import checkpoint_of, options, run_import


def imported_state(golden, tmp_path, **training):
    """Import a checkpoint; return its training state, and its trainable variables by their original names.

    `training` changes its training configuration.
    """
    optimizer = golden.hps["optimizer"]
    run_import(checkpoint_of(golden, tmp_path), tmp_path / "run", *options(golden), "--optimizer", optimizer)
    run = Run.open(tmp_path / "run")
    experiment = run.experiment()
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, **training))
    state = TrainingState(experiment, run)
    assert state.restore() and type(state.optimizer) is {"adam": Adam, "adamax": Adamax}[optimizer]
    names = {id(v): n for n, v in original_names(state.model).items()}
    return state, {names[id(v)]: v for v in state.model.trainable_variables}


@pytest.mark.parametrize("name", TRAINING_CASES)
def test_optimizer_state_and_ema_are_imported(name, tmp_path):
    golden = case(name)
    state, variables = imported_state(golden, tmp_path)
    assert state.run.metrics_path.read_text() == "epoch,step\n"  # a table that begins with the next epoch
    assert state.steps == int(state.optimizer.iterations) == len(golden["lr"]) == int(golden["end/slot/t"]) - 1
    slots = (state.optimizer.first_moments, state.optimizer.second_moments, state.ema.shadows)
    for name, *values in zip(variables, *slots, strict=True):
        for value, prefix in zip((variables[name], *values), ("var", "slot/m1", "slot/m2", "ema"), strict=True):
            np.testing.assert_array_equal(value, golden[f"end/{prefix}/{name}"], err_msg=f"{prefix}/{name}")


@pytest.mark.parametrize("name", TRAINING_CASES)
def test_next_step_after_an_import_matches_the_original(name, tmp_path):
    """Compute the rule of the original code's optim.py in NumPy, from the stored moments and step."""
    golden = case(name)
    state, variables = imported_state(golden, tmp_path, warmup_steps=0)  # a rate large enough to change float32 weights
    rate, beta1, beta2 = float(state.optimizer.learning_rate), golden.hps["beta1"], state.optimizer.beta2
    assert state.optimizer.beta1 == beta1 and rate > 0
    rng = np.random.default_rng(0)
    gradients = {n: rng.normal(scale=0.01, size=v.shape).astype("float32") for n, v in variables.items()}
    state.optimizer.apply(list(gradients.values()), list(variables.values()))
    t = float(golden["end/slot/t"])
    alpha = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    for n, g in gradients.items():
        weight, m, v = (golden[f"end/{prefix}/{n}"].astype("float64") for prefix in ("var", "slot/m1", "slot/m2"))
        m = beta1 * m + (1 - beta1) * g
        if golden.hps["optimizer"] == "adam":
            scale = np.sqrt(beta2 * v + (1 - beta2) * g**2)
        else:
            scale = np.maximum(beta2 * v, np.abs(g))
        assert_close(variables[n].numpy() - weight, -alpha * m / (scale + 1e-8), 1e-3, n)


@pytest.mark.slow
def test_training_resumes_from_an_imported_checkpoint(tmp_path):
    """Resume with `train.py` at step 12."""
    golden = case("case7_train_adamax")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (64, 16, 16, 3), np.uint8))
    run_dir = tmp_path / "run"
    data = f"npz:{tmp_path / 'images.npz'}"
    run_import(golden.checkpoint, run_dir, *options(golden), "--data", data, "--batch-size", 8)
    process = Fork(command("--run-dir", run_dir, "--checkpoint-minutes", "1e-6"), environment())
    while not [p for p in run_dir.glob("checkpoints/ckpt-*.index") if p.name != "ckpt-12.index"]:
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    out, _ = process.communicate(timeout=120)
    assert "step 12 so far" in out and "stopped by SIGTERM at step 1" in out
