"""Test what a command evaluates: runs and Keras files, their data and splits, and the folder of the results."""

import dataclasses
import zlib

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.errors import ConfigError, DataError, GlowError, RunError
from glow_tf.evaluation import commands
from glow_tf.evaluation.context import _folder_name, open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run
from helpers.source_cases import save_pictures

pytestmark = pytest.mark.usefixtures("without_graphs")  # `test_reported_bits.py` runs them in graphs


def test_results_of_ema_weights_and_other_data_have_folders_of_their_own(one_level_run):
    run = str(one_level_run)
    folders = [
        open_context(TargetOptions(run, **options)).out.relative_to(one_level_run).as_posix()
        for options in (
            {},
            {"data": "bundled:digits"},
            {"ema": True},
            {"data": "bundled:mnist", "ema": True},
            {"data": "folder:a/b"},
            {"fit": "crop"},
            {"data": "bundled:mnist", "fit": "resize"},
            {"data": "folder:cats", "fit": "crop"},
            {"data": "folder:cats_crop"},
        )
    ]
    assert folders == [
        "evaluation",
        "evaluation",
        *(
            f"evaluation/{n}"
            for n in (
                "ema",
                "ema_bundled_mnist",
                f"folder_a_b_{zlib.crc32(b'folder:a/b'):08x}",
                "crop",
                "bundled_mnist_resize",
                "folder_cats_crop",
                f"folder_cats_crop_{zlib.crc32(b'folder:cats_crop'):08x}",
            )
        ),
    ]
    assert open_context(TargetOptions(run, ema=True, out="here")).out.as_posix() == "here"


def test_classes_of_other_attributes_have_folders_that_no_other_option_has():
    own = DataConfig("tfrecord:celeba", labels=True)

    def name(source=own.source, attributes=(), **options):
        target = TargetOptions("run", data=source, class_attributes=attributes, **options)
        return _folder_name(target, own, dataclasses.replace(own, source=source, class_attributes=attributes))

    assert name(attributes=("Male", "Smiling")) == "Male_Smiling"
    names = [
        name(ema=True),
        name(attributes=("ema",)),
        name(ema=True, attributes=("Male",)),
        name(attributes=("ema", "Male")),
        name(fit="crop", attributes=("Male",)),
        name(attributes=("crop", "Male")),
        name("tfds:faces_Male"),
        name("tfds:faces", ("Male",)),
        name(attributes=("tfds", "faces", "Male")),
        name("tfds:faces_crop", ("Male",)),
        name("tfds:faces", ("Male",), fit="crop"),
    ]
    assert len(set(names)) == len(names) and names[6] == "tfds_faces_Male"


@pytest.mark.slow
def test_damaged_images_are_left_out_as_in_training_or_by_option(one_level_run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    save_pictures(folder, np.zeros([12, 8, 8], np.uint8))
    (folder / "3.png").write_bytes(b"no picture")
    source = f"folder:{folder}"
    context = open_context(TargetOptions(str(one_level_run), data=source, on_damaged="skip"))
    assert sum(len(context.arrays(split)[0]) for split in ("train", "validation", "test")) == 11
    run = Run.create(tmp_path / "run", Run(one_level_run).experiment())
    experiment = run.experiment()
    run.write_config(dataclasses.replace(experiment, data=DataConfig("folder:elsewhere", on_damaged="skip")))
    assert open_context(TargetOptions(str(run.path), data=source)).data.on_damaged == "skip"
    assert open_context(TargetOptions(str(run.path), data=source, on_damaged="stop")).data.on_damaged == "stop"


def test_bits_command_reads_a_keras_file(one_level_run, tmp_path, capsys):
    path = tmp_path / "model.keras"
    open_context(one_level_run).model.save(path)
    with pytest.raises(ConfigError, match="give --data"):
        commands.bits(TargetOptions(str(path)))
    commands.bits(TargetOptions(str(path), "bundled:digits"), draws=1, limit=16)
    assert (tmp_path / "model_evaluation" / "bundled_digits" / "bits_draws_1_limit_16.json").is_file()
    with pytest.raises(RunError, match="holds one set of weights, and no EMA weights besides"):
        commands.bits(TargetOptions(str(path), "bundled:digits", ema=True))
    path.write_bytes(b"nonsense")
    with pytest.raises(RunError, match="cannot be read as a Keras model"):
        commands.bits(TargetOptions(str(path), "bundled:digits"))


@pytest.mark.slow
def test_evaluation_rejects_runs_and_data_that_do_not_fit(one_level_run, tiny_conditional_run, tmp_path):
    run, conditional = TargetOptions(str(one_level_run)), TargetOptions(str(tiny_conditional_run))
    with pytest.raises(ConfigError, match="unconditional"):
        commands.accuracy(run)
    with pytest.raises(ConfigError, match="needs an unconditional model"):
        commands.compare(conditional, against="bundled:mnist")
    with pytest.raises(RunError, match="is not a run folder"):
        commands.bits(TargetOptions(str(tmp_path)))
    with pytest.raises(DataError, match="an image is 28x28, the model takes 8x8"):
        commands.bits(TargetOptions(str(one_level_run), "bundled:mnist"))
    commands.bits(TargetOptions(str(one_level_run), "bundled:mnist", fit="resize", out=str(tmp_path)), draws=1, limit=2)
    np.savez(tmp_path / "images.npz", images=np.zeros((40, 8, 8, 1), np.uint8))
    with pytest.raises(GlowError, match="no labels|no classes|labels are wanted"):
        commands.samples(TargetOptions(str(tiny_conditional_run), f"npz:{tmp_path / 'images.npz'}"))
    np.savez(tmp_path / "three.npz", images=np.zeros((40, 8, 8, 1), np.uint8), labels=np.arange(40) % 3)
    with pytest.raises(DataError, match="has 3 classes, the model is conditional on 10"):
        commands.report(TargetOptions(str(tiny_conditional_run), f"npz:{tmp_path / 'three.npz'}"))


def test_evaluation_falls_back_to_the_validation_split(one_level_run, tmp_path, capsys):
    images = np.zeros((20, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "images.npz", train=images, validation=images)
    commands.bits(TargetOptions(str(one_level_run), f"npz:{tmp_path / 'images.npz'}", out=str(tmp_path)), draws=1)
    out = capsys.readouterr().out
    assert "validation images (there is no test split)" in out
    assert "unknown" in out and "nan" not in out, "one draw has no standard error"
