"""The original's checkpoints come in, and nothing else does."""

import pathlib
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import parity
import pytest
import tensorflow as tf
from parity import assert_close, case
from training.commands import ROOT, command, environment

from glow_tf.config import ConfigError
from glow_tf.errors import GlowError
from glow_tf.openai.__main__ import main
from glow_tf.openai.original import Original
from glow_tf.openai.sources import OpenaiError
from glow_tf.runs import Run

WITH_CHECKPOINT = ("case1_affine_1x1", "case5_affine_1x1_ycond")
TRAINED = case("case7_train_adamax")


def options(c):
    return ["--bits", c.hps["n_bits_x"], "--image-size", c.hps["image_size"]]


def run_import(*arguments):
    main([str(a) for a in arguments])


def assert_is_the_original(model, c):
    """The stored eps, bits/dim and decoded images come out."""
    eps = model.encode(c["x"], c.labels, noise=c.noise)
    for i, expected in enumerate(c.eps()):
        assert_close(eps[i], expected, 1e-5, f"eps {i}")
    assert_close(model.bits_per_dim(c["x"], c.labels, noise=c.noise), c["bits_x"], 1e-5, "bits_x")
    labels = None if c.labels is None else tf.constant(c.labels)
    assert_close(model.flow.decode(c.eps(), labels)[0], c["decoded/x_float"], 2e-4, "decoded")
    off = np.abs(model.decode(c.eps(), labels).numpy().astype(int) - c["decoded/x_uint8"])
    assert off.max() <= 1 and np.mean(off > 0) <= 0.005


@pytest.mark.parametrize("name", WITH_CHECKPOINT)
def test_an_imported_model_is_the_original(name, tmp_path):
    c = case(name)
    run_import(c.checkpoint, tmp_path / "run", *options(c), "--weight-y", c.hps["weight_y"])
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == c.config
    model = run.model()
    assert_is_the_original(model, c)
    model.save(tmp_path / "m.keras")
    assert_is_the_original(keras.saving.load_model(tmp_path / "m.keras", safe_mode=True), c)


def test_averages_slots_and_step_come_along(tmp_path):
    c = TRAINED
    run_import(c.checkpoint, tmp_path / "run", *options(c))
    run = Run.open(tmp_path / "run")
    for average, prefix in ((False, "end/var/"), (True, "end/ema/")):
        for name, variable in parity.original_names(run.model(average=average)).items():
            np.testing.assert_array_equal(variable, c[prefix + name])
    original = Original(c.checkpoint, bits=8, image_size=(16, 16))
    assert original.steps() == 12
    for name, first, second in original.slots():
        np.testing.assert_array_equal(first, c[f"end/slot/m1/{name}"])
        np.testing.assert_array_equal(second, c[f"end/slot/m2/{name}"])


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
    prefix = "end/var/" if which == "ema_noswap" else "end/ema/"
    for name, variable in parity.original_names(Run.open(tmp_path / "run").model()).items():
        np.testing.assert_array_equal(variable, c[prefix + name])


def freeze(c, path, drop=(), extra=()):
    """A frozen graph with a case's weights as constants under the original's names."""
    graph = tf.Graph()
    with graph.as_default():
        for key, value in c.golden.items():
            name = key.removeprefix("var/")
            if key.startswith("var/") and name not in drop:
                tf.identity(tf.constant(value, name=name), name=f"{name}/read")
        for name, shape in extra:
            tf.compat.v1.placeholder(tf.float32, shape, name=name)
    path.write_bytes(graph.as_graph_def().SerializeToString())


@pytest.mark.parametrize("name", parity.FORWARD_CASES)
def test_a_frozen_graph_of_every_kind(name, tmp_path):
    c = case(name)
    freeze(c, tmp_path / "graph.pb")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c), "--weight-y", c.hps["weight_y"])
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == c.config
    assert_is_the_original(run.model(), c)


def test_a_graph_with_a_foreign_input_says_which(tmp_path):
    c = case("case2_additive_1x1_5bit")
    freeze(c, tmp_path / "graph.pb", extra=[("x128", (None, 8, 8, 3))])
    with pytest.raises(OpenaiError, match="inputs that the public model has not: x128"):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c))
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c), "--ignore", "x128")
    assert_is_the_original(Run.open(tmp_path / "run").model(), c)


def test_missing_weights_are_named(tmp_path):
    c = case("case2_additive_1x1_5bit")
    freeze(c, tmp_path / "graph.pb", drop=("model/pool0/conv/b",))
    with pytest.raises(OpenaiError, match="1 missing: model/pool0/conv/b"):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c))
    assert not (tmp_path / "run").exists()


def test_left_over_weights_are_named(tmp_path):
    c = case("case1_affine_1x1")
    values = {n: v for n, v in tf_checkpoint(c.checkpoint).items() if "ExponentialMovingAverage" not in n}
    values = {n: v for n, v in values.items() if not n.startswith("Variable")}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saved = {n: tf.compat.v1.Variable(v) for n, v in {**values, "model/extra/W": np.ones(3, np.float32)}.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(saved).save(session, str(tmp_path / "m.ckpt"), write_meta_graph=False)
    with pytest.raises(OpenaiError, match="1 left over: model/extra/W"):
        run_import(tmp_path / "m.ckpt", tmp_path / "run", *options(c))


def tf_checkpoint(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_the_batch_is_checked_before_writing(tmp_path, capsys):
    c = case("case5_affine_1x1_ycond")
    np.savez(tmp_path / "batch.npz", x=c["x"], y=c["y"])
    run_import(c.checkpoint, tmp_path / "run", *options(c), "--check", tmp_path / "batch.npz")
    out = capsys.readouterr().out
    bits = float(out.split("raw weights: ")[1].split()[0])
    assert bits == pytest.approx(float(np.mean(c["bits_x"])), abs=0.05)
    np.save(tmp_path / "wrong.npy", np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(OpenaiError, match=r"expected uint8 images \[n, 16, 16, 3\]"):
        run_import(c.checkpoint, tmp_path / "other", *options(c), "--check", tmp_path / "wrong.npy")
    np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(OpenaiError, match="cannot be read as a batch"):
        run_import(c.checkpoint, tmp_path / "other", *options(c), "--check", tmp_path / "pickled.npy")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("damage", ["truncated data", "truncated index", "flipped byte", "no data"])
def test_a_damaged_checkpoint_leaves_nothing_behind(damage, tmp_path):
    c = case("case1_affine_1x1")
    for file in c.checkpoint.parent.glob("model.ckpt*"):
        shutil.copy(file, tmp_path)
    data, index = next(tmp_path.glob("*.data-*")), tmp_path / "model.ckpt.index"
    if damage == "truncated data":
        data.write_bytes(data.read_bytes()[:-1000])
    elif damage == "truncated index":
        index.write_bytes(index.read_bytes()[:100])
    elif damage == "flipped byte":
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 255
        data.write_bytes(content)
    else:
        data.unlink()
    with pytest.raises(GlowError, match="damaged or incomplete"):
        run_import(tmp_path / "model.ckpt", tmp_path / "run", *options(c))
    assert not [p for p in tmp_path.iterdir() if "run" in p.name]


def test_wrong_options_are_one_sentence(tmp_path):
    c = case("case1_affine_1x1")
    with pytest.raises(OpenaiError, match="expected --bits"):
        run_import(c.checkpoint, tmp_path / "run", "--image-size", 32)
    with pytest.raises(OpenaiError, match="expected --image-size"):
        run_import(c.checkpoint, tmp_path / "run", "--bits", 8)
    with pytest.raises(OpenaiError, match="there is no checkpoint"):
        run_import(tmp_path / "nothing.ckpt", tmp_path / "run", *options(c))
    with pytest.raises(ConfigError, match="multiples of 8"):
        run_import(c.checkpoint, tmp_path / "run", "--bits", 8, "--image-size", 30)
    with pytest.raises(OpenaiError, match="not of preset cifar10: depth 2, the preset has 32"):
        run_import(c.checkpoint, tmp_path / "run", *options(c), "--preset", "cifar10")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").write_text("mine")
    with pytest.raises(OpenaiError, match="exists already"):
        run_import(c.checkpoint, tmp_path / "run", *options(c))


def test_the_command_exits_with_2_and_no_traceback(tmp_path):
    words = [sys.executable, "-m", "glow_tf.openai", str(tmp_path / "x.ckpt"), str(tmp_path / "run")]
    done = subprocess.run(words, env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("python -m glow_tf.openai: expected --bits") and done.stderr.count("\n") == 1


def test_non_square_images(tmp_path):
    c = case("case2_additive_1x1_5bit")
    freeze(c, tmp_path / "graph.pb")
    run_import(tmp_path / "graph.pb", tmp_path / "run", "--bits", 5, "--image-size", 16, 24)
    assert Run.open(tmp_path / "run").model().sample(1, seed=0).shape == (1, 16, 24, 3)


def test_paths_of_every_form(tmp_path):
    c = case("case1_affine_1x1")
    for path in (f"{c.checkpoint}.index", f"{c.checkpoint}.data-00000-of-00001", c.checkpoint.parent):
        assert Original(pathlib.Path(path), bits=8, image_size=(32, 32)).model.config.depth == 2
