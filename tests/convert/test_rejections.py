"""Test that any checkpoint but a complete one of the public model is rejected, and that nothing is written."""

import os
import shutil

import numpy as np
import pytest

from glow_tf import Glow, batched
from glow_tf.convert.openai_glow import training_images
from glow_tf.convert.openai_glow.checkpoint import OpenAIGlowCheckpoint
from glow_tf.convert.openai_glow.sources import TF1Checkpoint
from glow_tf.convert.openai_glow.writing import check_free
from glow_tf.errors import ConfigError, ConversionError, DataError, GlowError, RunError
from glow_tf.runs import Run
from glow_tf.training.state import TrainingState
from helpers.golden import case
from helpers.openai_checkpoints import options, read_checkpoint, run_import, weights, write_checkpoint
from helpers.source_cases import save_pictures

TRAINED = case("case7_train_adamax")
EMA_SUFFIX = "/ExponentialMovingAverage"


def rejection_message(tmp_path, drop=(), **values):
    """Import the trained checkpoint without the arrays `drop` and with others; return the message of the rejection."""
    stored = {n: v for n, v in read_checkpoint(TRAINED.checkpoint).items() if n not in drop}
    write_checkpoint(tmp_path / "m.ckpt", {**stored, **values})
    with pytest.raises(ConversionError) as raised:
        run_import(tmp_path / "m.ckpt", tmp_path / "run", *options(TRAINED))
    assert not (tmp_path / "run").exists()
    return str(raised.value)


def test_checkpoint_with_unknown_weights_is_rejected(tmp_path):
    text = rejection_message(tmp_path, **{"model/extra/W": np.ones(3, np.float32)})
    assert "the weights are not" in text
    assert "1 left over: model/extra/W" in text and "missing" not in text


def test_checkpoint_with_missing_weights_is_rejected(tmp_path):
    assert "1 missing: model/1/0/f1/l_2/W" in rejection_message(tmp_path, drop=["model/1/0/f1/l_2/W"])


def test_checkpoint_with_a_missing_ema_is_rejected(tmp_path):
    text = rejection_message(tmp_path, drop=["model/pool0/conv/b" + EMA_SUFFIX])
    assert "the EMA weights are not" in text and "1 missing: model/pool0/conv/b" in text


def test_checkpoint_with_a_wrong_shape_is_rejected(tmp_path):
    text = rejection_message(tmp_path, **{"model/0/1/actnorm_center/b": np.zeros([1, 1, 1, 8], np.float32)})
    assert "model/0/1/actnorm_center/b [1, 1, 1, 8], expected [1, 1, 1, 12]" in text


def test_checkpoint_with_non_finite_values_is_rejected(tmp_path):
    text = rejection_message(tmp_path, **{"model/0/1/invconv/W": np.full([12, 12], np.nan, np.float32)})
    assert "model/0/1/invconv/W holds values that are not finite" in text


def test_checkpoint_with_values_of_another_type_is_rejected(tmp_path):
    for value, kind in ((1, "int32"), (b"1", "object")):
        values = np.full([12, 12], value, np.int32 if value == 1 else None)
        text = rejection_message(tmp_path, **{"model/0/1/invconv/W": values})
        assert f"model/0/1/invconv/W holds {kind}, expected floats" in text


def test_checkpoint_with_a_damaged_step_counter_is_rejected(tmp_path):
    text = rejection_message(tmp_path, Variable=np.float32(np.nan))
    assert "Variable holds values that are not finite" in text
    text = rejection_message(tmp_path, Variable=np.float32(0))
    assert "Variable: expected a step counter of at least 1, got 0" in text


@pytest.mark.parametrize(
    ("part", "damage", "message"),
    [
        ("P", lambda p: p[[0, 0, *range(2, len(p))]], "is not a permutation matrix"),
        ("P", lambda p: p / 2, "is not a permutation matrix"),
        ("sign_S", lambda s: 1.5 * s, "holds other values than 1 and -1"),
    ],
)
def test_checkpoint_with_damaged_fixed_arrays_is_rejected(part, damage, message, tmp_path):
    golden, name = case("case6_affine_lu"), f"model/1/1/invconv/{part}"
    write_checkpoint(tmp_path / "m.ckpt", {**weights(golden), name: damage(weights(golden)[name])})
    with pytest.raises(ConversionError, match=f"{name} {message}; the file is damaged"):
        run_import(tmp_path / "m.ckpt", tmp_path / "run", *options(golden))
    assert not (tmp_path / "run").exists()


def test_checkpoint_of_another_model_is_rejected(tmp_path):
    write_checkpoint(tmp_path / "m.ckpt", {"dense/kernel": np.zeros([2, 2], np.float32)})
    with pytest.raises(ConversionError, match="there is no weight model/0/0/actnorm_center/b"):
        run_import(tmp_path / "m.ckpt", tmp_path / "run", *options(TRAINED))


def test_unknown_optimizer_state_is_skipped_with_a_note(tmp_path, capsys):
    """Drop a first moment, as the original code does with beta1 = 0."""
    stored = {n: v for n, v in read_checkpoint(TRAINED.checkpoint).items() if n != "Variable_2"}
    write_checkpoint(tmp_path / "m.ckpt", stored)
    run_import(tmp_path / "m.ckpt", tmp_path / "run", *options(TRAINED))
    assert "is not a step counter and two moments per weight" in capsys.readouterr().out
    run = Run.open(tmp_path / "run")
    state = TrainingState(run.experiment(), run)
    assert state.restore() and state.steps == 0


def test_check_batch_is_validated_before_writing_and_measured_in_chunks(tmp_path, capsys, monkeypatch):
    golden, measured, measure = case("case5_affine_1x1_ycond"), [], Glow.bits_per_dim
    monkeypatch.setattr(batched, "MAX_CHUNK_IMAGES", 3)
    monkeypatch.setattr(
        Glow,
        "bits_per_dim",
        lambda self, x, *args, **kwargs: measured.append(len(x)) or measure(self, x, *args, **kwargs),
    )
    np.savez(tmp_path / "batch.npz", x=golden["x"], y=golden["y"])
    run_import(golden.checkpoint, tmp_path / "run", *options(golden), "--check", tmp_path / "batch.npz")
    bits = float(capsys.readouterr().out.split("raw weights: ")[1].split()[0])
    assert bits == pytest.approx(float(np.mean(golden["bits_x"])), abs=0.05)  # another draw of the noise
    assert measured == [3, 1, 3, 1]  # raw and EMA weights
    np.save(tmp_path / "wrong.npy", np.zeros((2, 8, 8, 3), np.uint8))
    np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "batch.npz").read_bytes()[:1000])
    np.save(tmp_path / "no_labels.npy", golden["x"])
    np.savez(tmp_path / "labels.npz", x=golden["x"], y=golden["y"] + 10)
    np.savez(tmp_path / "names.npz", images=golden["x"])
    for name, message in (
        ("wrong.npy", r"expected uint8 images \[n, 16, 16, 3\], got uint8 \[2, 8, 8, 3\]"),
        ("pickled.npy", "cannot be read as a batch"),
        ("cut.npz", "cannot be read as a batch"),
        ("none.npz", "cannot be read as a batch"),
        ("names.npz", "got no array x"),
        ("no_labels.npy", "takes an .npz with labels y"),
        ("labels.npz", "expected 4 integer labels y from 0 to 9"),
    ):
        with pytest.raises(ConversionError, match=message):
            run_import(golden.checkpoint, tmp_path / "other", *options(golden), "--check", tmp_path / name)
        assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("damage", ["truncated data", "truncated index", "flipped byte", "no data"])
def test_damaged_openai_checkpoint_leaves_no_files(damage, tmp_path):
    golden = case("case1_affine_1x1")
    for file in golden.checkpoint.parent.glob("model.ckpt*"):
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
        run_import(tmp_path / "model.ckpt", tmp_path / "run", *options(golden))
    assert not [p for p in tmp_path.iterdir() if "run" in p.name]


def test_invalid_import_options_are_rejected(tmp_path):
    golden = case("case1_affine_1x1")
    with pytest.raises(ConversionError, match="expected --bits"):
        run_import(golden.checkpoint, tmp_path / "run", "--image-size", 32)
    with pytest.raises(ConversionError, match="expected --image-size"):
        run_import(golden.checkpoint, tmp_path / "run", "--bits", 8)
    with pytest.raises(ConversionError, match="there is no checkpoint"):
        run_import(tmp_path / "nothing.ckpt", tmp_path / "run", *options(golden))
    with pytest.raises(ConfigError, match="multiples of 8"):
        run_import(golden.checkpoint, tmp_path / "run", "--bits", 8, "--image-size", 30)
    with pytest.raises(ConversionError, match=r"not of preset cifar10 \(depth 2, the preset has 32"):
        run_import(golden.checkpoint, tmp_path / "run", *options(golden), "--preset", "cifar10")
    conditional = case("case5_affine_1x1_ycond")
    with pytest.raises(ConversionError, match="weight_y: expected more than 0, since the checkpoint has a classifier"):
        run_import(conditional.checkpoint, tmp_path / "run", *options(conditional), "--weight-y", 0)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").write_text("mine")
    with pytest.raises(ConversionError, match="exists already"):
        run_import(golden.checkpoint, tmp_path / "run", *options(golden))


@pytest.mark.slow
def test_images_that_do_not_fit_the_model_are_rejected_at_the_import(tmp_path, monkeypatch, capsys):
    """Otherwise `train.py` would refuse the run, and its images cannot be changed."""
    monkeypatch.setattr(training_images, "is_prepared", lambda where: False)
    (tmp_path / "images").mkdir()
    save_pictures(tmp_path / "images", np.zeros([12, 20, 18, 3], np.uint8))
    data = ["--data", f"folder:{tmp_path / 'images'}"]
    with pytest.raises(
        DataError, match=r"an image is 20x18, the model takes 16x16, .* take fit=\"crop\" \(--fit crop\)"
    ):
        run_import(TRAINED.checkpoint, tmp_path / "run", *options(TRAINED), *data)
    with pytest.raises(ConversionError, match="--fit: expected with --data or --preset"):
        run_import(TRAINED.checkpoint, tmp_path / "run", *options(TRAINED), "--fit", "crop")
    conditional, three_classes = case("case5_affine_1x1_ycond"), tmp_path / "three.npz"
    np.savez(three_classes, images=np.zeros([12, 16, 16, 3], np.uint8), labels=np.arange(12) % 3)
    with pytest.raises(ConfigError, match="classes=10, but npz:.* has 3 classes"):
        run_import(conditional.checkpoint, tmp_path / "run", *options(conditional), "--data", f"npz:{three_classes}")
    assert not (tmp_path / "run").exists()
    run_import(TRAINED.checkpoint, tmp_path / "run", *options(TRAINED), *data, "--fit", "crop")
    assert Run.open(tmp_path / "run").experiment().data.fit == "crop"
    assert "not checked" not in capsys.readouterr().out
    for name, source, reason in (
        ("a", "folder:none", "folder:none: there is no folder none"),
        ("b", "tfds:cifar10", "tfds:cifar10 is not prepared on this machine."),
    ):
        run_import(TRAINED.checkpoint, tmp_path / name, *options(TRAINED), "--data", source)
        assert f"Note: the images of --data were not checked: {reason}" in capsys.readouterr().out


def test_import_into_the_current_folder_is_rejected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (".", "..", tmp_path):
        with pytest.raises(GlowError, match="is the current folder, or lies above it"):
            run_import(TRAINED.checkpoint, path, *options(TRAINED))
    assert not list(tmp_path.iterdir())


def test_home_folder_of_a_checkpoint_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConversionError, match=f"there is no checkpoint {tmp_path}/m.ckpt"):
        run_import("~/m.ckpt", "~/run", *options(TRAINED))


def test_file_checkpoint_stands_for_the_checkpoint_that_it_names(tmp_path):
    golden = case("case1_affine_1x1")
    for file in golden.checkpoint.parent.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/another/machine/model.ckpt"\n')
    assert TF1Checkpoint(tmp_path / "checkpoint").prefix == tmp_path / "model.ckpt"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "checkpoint"\n')
    with pytest.raises(ConversionError, match="there is no checkpoint .*checkpoint: expected checkpoint.index"):
        TF1Checkpoint(tmp_path / "checkpoint")
    (tmp_path / "checkpoint").write_bytes(b"\xff")
    with pytest.raises(ConversionError, match="checkpoint names no checkpoint; give the name of one"):
        TF1Checkpoint(tmp_path / "checkpoint")


def test_import_into_an_unwritable_folder_is_rejected(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConversionError, match="cannot write"):
        run_import(TRAINED.checkpoint, tmp_path / "file" / "run", *options(TRAINED))


def test_import_from_a_folder_with_several_checkpoints_is_rejected():
    with pytest.raises(
        ConversionError, match="holds 3 checkpoints, expected one: ema_noswap.ckpt, ema_swapped.ckpt, model"
    ):
        OpenAIGlowCheckpoint(TRAINED.checkpoint.parent, bits=8, image_size=(16, 16))


def test_path_that_tensorflow_takes_for_a_pattern_is_not_called_damaged(tmp_path):
    folder = tmp_path / "a[b]"
    folder.mkdir()
    for file in TRAINED.checkpoint.parent.glob(f"{TRAINED.checkpoint.name}.*"):
        shutil.copy(file, folder)
    with pytest.raises(RunError, match=r"has \[ in it, which TensorFlow takes for a pattern of names"):
        run_import(folder / TRAINED.checkpoint.name, tmp_path / "run", *options(TRAINED))
    with pytest.raises(ConversionError, match=r"has \[ in it, which TensorFlow takes for a pattern of names"):
        run_import(TRAINED.checkpoint, folder / "run", *options(TRAINED))
    assert not (tmp_path / "run").exists() and not (folder / "run").exists()


def test_failed_write_names_the_run_folder_and_leaves_nothing(tmp_path, monkeypatch):
    def full(state, *_, **__):
        raise RunError(f"cannot write {state.run.path}/weights/last.weights.h5: No space left on device.")

    monkeypatch.setattr(TrainingState, "save_weights", full)
    with pytest.raises(ConversionError, match=f"cannot write {tmp_path}/run/weights/last.weights.h5: No space left"):
        run_import(TRAINED.checkpoint, tmp_path / "run", *options(TRAINED))
    assert not list(tmp_path.iterdir())


def test_import_removes_what_a_killed_import_left_and_refuses_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / f".{2**22 + 1}.run").mkdir()
    (tmp_path / "run").mkdir()
    assert check_free(tmp_path / "run") == tmp_path / "run"
    assert os.listdir(tmp_path) == ["run"]
    monkeypatch.chdir(tmp_path / "run")
    with pytest.raises(RunError, match="is the current folder"):
        check_free(".")
