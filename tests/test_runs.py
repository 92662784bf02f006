"""Test run folders as a file format: a stored old one is read, and an incomplete one is rejected."""

import csv
import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest

from glow_tf import deprecation, presets
from glow_tf.cli import train
from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, SplitRecord, TrainingConfig
from glow_tf.errors import RunError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.experiment_file import FORMAT
from glow_tf.io import write_atomically, write_text
from glow_tf.model import Glow
from glow_tf.runs import MetricsTable, Run, load_model
from glow_tf.training.initial_weights import recorded_weights
from glow_tf.training.state import TrainingState
from glow_tf.weights_file import check_config
from helpers.commands import ROOT

OLD_RUN = ROOT / "tests" / "old_run.tar.xz"
"""A run of format 1: digits by class, L=2, K=1, width 2, two epochs of four steps. It must remain readable, so it is
never replaced; a later format gets a file of its own."""

IMAGES = (np.arange(3 * 64).reshape(3, 8, 8, 1) * 5 % 256).astype(np.uint8)
LABELS = np.arange(3)
BITS, BITS_EMA = [4.413028, 4.396007, 4.434089], [4.416572, 4.399479, 4.436517]
"""Bits/dim of the images at the middle of each bin, as computed when the run was stored."""


@pytest.fixture
def old_run(tmp_path):
    shutil.unpack_archive(OLD_RUN, tmp_path / "old")
    return Run.open(tmp_path / "old")


def bits(model):
    return model.bits_per_dim(IMAGES, LABELS, noise=np.full(IMAGES.shape, 0.5, np.float32))


def test_old_run_folder_is_read(old_run):
    experiment = old_run.experiment()
    assert experiment.model == ModelConfig((8, 8, 1), bits=4, levels=2, depth=1, width=2, classes=10, weight_y=0.1)
    assert experiment.data == DataConfig(
        "bundled:digits", validation=0.1, labels=True, split_record=SplitRecord("position")
    )
    assert (experiment.training.batch_size, experiment.training.epochs, experiment.name) == (64, 2, "digits")
    for which in ("best", "last"):
        np.testing.assert_allclose(bits(old_run.model(which)), BITS, rtol=1e-5)
        np.testing.assert_allclose(bits(old_run.model(which, ema=True)), BITS_EMA, rtol=1e-5)
    with open(old_run.metrics_path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"], row["val_bits_x"]) for row in rows] == [
        ("1", "4", "4.59583"),
        ("2", "8", "4.5899"),
    ]


def test_training_state_of_an_old_run_folder_is_restored(old_run):
    state = TrainingState(old_run.experiment(), old_run)
    assert state.restore()
    assert state.steps == int(state.optimizer.iterations) == 8
    np.testing.assert_allclose(bits(state.model), BITS, rtol=1e-5)
    with state.weights(ema=True):
        np.testing.assert_allclose(bits(state.model), BITS_EMA, rtol=1e-5)
    assert max(np.max(np.abs(m)) for m in state.optimizer.first_moments) > 0


def test_run_configuration_round_trip(tmp_path):
    experiment = Experiment(
        ModelConfig((16, 24, 3), bits=5, levels=2, permutation="lu", network_dtype="bfloat16"),
        DataConfig("folder:my/images", fit="random_crop", flip=True),
        TrainingConfig(epochs=3, schedule="cosine", beta2=0.5),
        "mine",
        "a line",
    )
    Run.create(tmp_path / "run", experiment)
    assert Run.open(tmp_path / "run").experiment() == experiment
    assert json.loads((tmp_path / "run" / "config.json").read_text())["format"] == FORMAT


def test_folder_without_a_run_is_rejected(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder \(no config.json in it\)"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(RunError, match="is not a run folder"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.update(format=FORMAT + 1), f"has format {FORMAT + 1}, .* up to {FORMAT}; update it"),
        (lambda values: values.pop("format"), "cannot be read as a configuration: 'format'"),
        (lambda values: values.pop("model"), "cannot be read as a configuration: .*model"),
        (lambda values: values["model"].update(bits=9), "bits: expected 1 to 8, got 9"),
        (lambda values: values["model"].update(colour=1), "cannot be read as a configuration: .*colour"),
        (lambda values: values.update(model=3), "cannot be read as a configuration"),
        (lambda values: values["model"].update(image_shape=[float("nan"), 8, 1]), "cannot be read as a configuration"),
        (lambda values: values["model"].update(image_shape=[float("inf"), 8, 1]), "cannot be read as a configuration"),
    ],
)
def test_invalid_run_configuration_is_rejected(change, message, old_run):
    values = json.loads(old_run.config_path.read_text())
    change(values)
    old_run.config_path.write_text(json.dumps(values))
    with pytest.raises(RunError, match=message):
        old_run.experiment()


@pytest.mark.parametrize("text", ["", '{"format": 1', "[]", "3", "null", "[" * 10**5, '{"format": 1, "\udcff"'])
def test_damaged_run_configuration_is_rejected(text, old_run):
    old_run.config_path.write_text(text, errors="surrogateescape")
    with pytest.raises(RunError, match="config.json cannot be read as a configuration"):
        old_run.experiment()


def test_best_weights_fall_back_to_last(old_run):
    old_run.weights_path("best").unlink()
    np.testing.assert_allclose(bits(old_run.model()), BITS, rtol=1e-5)
    old_run.weights_path("last").unlink()
    with pytest.raises(RunError, match=r"holds no weights yet \(expected last.weights.h5\)"):
        old_run.model()


def test_damaged_weights_file_is_rejected(old_run):
    path = old_run.weights_path("best")
    content = path.read_bytes()
    for damaged in (content[:1000], b"weights", b""):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="does not hold this configuration's weights"):
            old_run.model()


def test_weights_of_another_configuration_are_rejected(old_run):
    values = json.loads(old_run.config_path.read_text())
    values["model"]["width"] = 3
    old_run.config_path.write_text(json.dumps(values))
    with pytest.raises(RunError, match="does not hold this configuration's weights"):
        old_run.model()


def test_load_model_reads_a_keras_file(old_run, tmp_path):
    path = tmp_path / "m.keras"
    old_run.model().save(path)
    np.testing.assert_allclose(bits(load_model(path)), BITS, rtol=1e-5)
    with pytest.raises(RunError, match="holds one set of weights, and no EMA weights besides"):
        load_model(path, ema=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RunError, match="cannot be read as a Keras model"):
        load_model(path)
    keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]).save(path)
    with pytest.raises(RunError, match="holds a Sequential, expected a Glow"):
        load_model(path)
    with pytest.raises(RunError, match="no such file"):
        load_model(tmp_path / "other.keras")


def test_old_keyword_average_loads_the_ema_weights_with_a_warning(old_run, monkeypatch):
    monkeypatch.setattr(deprecation, "_warned", set())
    with pytest.warns(DeprecationWarning, match=r"Run.model\(average=...\) is now Run.model\(ema=...\)"):
        np.testing.assert_allclose(bits(old_run.model("last", average=True)), BITS_EMA, rtol=1e-5)
    with pytest.warns(DeprecationWarning, match=r"load_model\(average=...\) is now load_model\(ema=...\)"):
        np.testing.assert_allclose(bits(load_model(old_run.path, average=True)), BITS_EMA, rtol=1e-5)


def test_run_without_ema_weights_rejects_ema(old_run):
    assert old_run.has_ema
    for which in ("best", "last"):
        old_run.weights_path(which, ema=True).unlink()
    assert not old_run.has_ema
    with pytest.raises(
        RunError, match="holds one set of weights, and no EMA weights besides; leave the option ema out"
    ):
        old_run.model(ema=True)


def test_metrics_table_keeps_rows_and_columns(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    assert table.rows() == []
    table.append({"epoch": 1, "step": 4, "bits_x": 3.25})
    table.append({"epoch": 2, "step": 8, "bits_x": None, "val_bits_x": 2.5})
    assert table.path.read_text() == "epoch,step,bits_x,val_bits_x\n1,4,3.25,\n2,8,,2.5\n"
    assert table.rows()[1] == {"epoch": 2, "step": 8, "bits_x": None, "val_bits_x": 2.5}
    table.cut_back(8)
    assert len(table.rows()) == 2
    table.cut_back(7)
    assert [row["epoch"] for row in table.rows()] == [1]


def test_file_writes_are_atomic(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_atomically(path, lambda p: p.write_text("first"))

    def fail(temporary):
        temporary.write_text("sec")
        raise OSError("No space left on device")

    with pytest.raises(RunError, match="cannot write .*file.txt: No space left on device"):
        write_atomically(path, fail)
    assert os.listdir(path.parent) == ["file.txt"] and path.read_text() == "first"


def test_path_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    reasons = {
        "file/x": "a part of the path is a file, not a folder",
        "file/x/y": "a part of the path is a file, not a folder",
        "loop/x": "",
        "n" * 300: "File name too long",
        "folder": "Is a directory",
    }
    for name, reason in reasons.items():
        with pytest.raises(RunError, match=f"cannot write {tmp_path}/{name}: {reason}"):
            write_text(tmp_path / name, "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "loop"]


def test_path_that_the_system_does_not_take_is_no_run_folder(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path / ("n" * 300))


@pytest.mark.parametrize("option", ["--run-dir", "--run_dir"])
def test_folder_of_a_run_alone_names_its_experiment(option, tmp_path):
    experiment = presets.get("photos")
    Run.create(tmp_path / "run", experiment)
    assert train.parse([option, str(tmp_path / "run")])[0] == experiment


def test_weight_of_the_classifier_in_the_loss_may_differ_where_a_model_is_used(tmp_path):
    config = ModelConfig(image_shape=(2, 2, 1), levels=1, depth=1, width=1, classes=2, weight_y=0.5)
    other = dataclasses.replace(config, weight_y=0.25)
    run = Run.create(tmp_path / "run", Experiment(other, DataConfig(labels=True), TrainingConfig()))
    run.weights.mkdir()
    Glow(config).save_weights(run.weights_path())
    assert run.model().config == other
    with pytest.raises(RunError, match="weight_y 0.25, not 0.5"):  # a training goes on with the same loss
        check_config(run.weights_path(), other)


def test_home_folder_may_be_written_as_a_tilde(tiny_run, tmp_path, monkeypatch):
    for name in ("home", "current"):
        (tmp_path / name).mkdir()
    run = shutil.copytree(tiny_run, tmp_path / "home" / "run")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "current")
    assert Run("~/run").path == run and Run.open("~/run").exists
    write_text("~/new/a.txt", "text")
    assert (tmp_path / "home" / "new" / "a.txt").read_text() == "text"
    Glow.from_preset("~/run").save(tmp_path / "home" / "a.keras")
    assert load_model("~/a.keras").config == Glow.from_preset("~/a.keras").config
    record = recorded_weights(Run("new"), Run(run).experiment(), RunOptions(init_from="~/run"))
    assert record.path == str(run)
    assert open_context(TargetOptions("~/run", out="~/out")).out == tmp_path / "home" / "out"
    assert not any((tmp_path / "current").iterdir()), "a folder of the name ~ was made"
