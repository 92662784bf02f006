"""Test that a run refuses data that changed since it was started, on resume and in an evaluation."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from glow_tf.config import DataConfig, RunOptions, SplitRecord
from glow_tf.data import open_source
from glow_tf.errors import DataError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run
from glow_tf.training import devices
from glow_tf.training.old_splits import check_old_split, is_share
from glow_tf.training.trainer import Trainer
from helpers.commands import ROOT
from helpers.source_cases import color_images, save_pictures
from helpers.tiny_runs import TINY


def trainer(path, source):
    experiment = dataclasses.replace(TINY, data=DataConfig(source))
    return Trainer(experiment, RunOptions(run_dir=str(path)), devices.strategy("cpu"))


def save_images(path, count):
    np.save(path, np.zeros([count, 8, 8, 1], np.uint8))


@pytest.fixture
def old_run(tmp_path):
    """Unpack a run of format 1, of digits by class."""
    shutil.unpack_archive(ROOT / "tests" / "old_run.tar.xz", tmp_path / "old")
    return Run.open(tmp_path / "old")


def test_run_records_its_split_and_refuses_other_arrays(tmp_path):
    save_images(tmp_path / "a.npy", 40)
    first = trainer(tmp_path / "run", f"npy:{tmp_path / 'a.npy'}")
    first.run.write_config(first.experiment)
    assert first.run.experiment().data.split_record == first.source.split_record
    assert trainer(tmp_path / "run", f"npy:{tmp_path / 'a.npy'}").experiment == first.experiment
    assert open_context(tmp_path / "run").data.split_record.images == 40
    save_images(tmp_path / "a.npy", 41)
    message = "a.npy has changed: the run was started with 40 images to split and there are 41 images now"
    with pytest.raises(DataError, match=message):
        trainer(tmp_path / "run", f"npy:{tmp_path / 'a.npy'}")
    with pytest.raises(DataError, match=message):
        open_source(open_context(tmp_path / "run").data, (8, 8, 1))


def test_record_of_another_run_does_not_bind_a_new_one(tmp_path):
    """An experiment that is read from a run's folder has the record of that run."""
    save_images(tmp_path / "a.npy", 40)
    first = trainer(tmp_path / "run", f"npy:{tmp_path / 'a.npy'}")
    first.run.write_config(first.experiment)
    save_images(tmp_path / "a.npy", 41)
    experiment = Run(tmp_path / "run").experiment()
    second = Trainer(experiment, RunOptions(run_dir=str(tmp_path / "second")), devices.strategy("cpu"))
    assert second.experiment.data.split_record.images == 41


def set_source(run, source):
    values = json.loads(run.config_path.read_text())
    values["data"]["source"] = source
    run.config_path.write_text(json.dumps(values))


def test_run_records_the_names_of_its_classes_and_refuses_others(tmp_path):
    """A renamed folder of a class would shift the labels of those between its places in the order of names."""
    for name in ("ant", "bee", "cow"):
        (tmp_path / "images" / name).mkdir(parents=True)
        save_pictures(tmp_path / "images" / name, color_images(12))
    model = dataclasses.replace(TINY.model, image_shape=(8, 8, 3), classes=3)
    experiment = dataclasses.replace(
        TINY, model=model, data=DataConfig(f"folder:{tmp_path / 'images'}", labels=True, validation=0.3)
    )
    options, strategy = RunOptions(run_dir=str(tmp_path / "run")), devices.strategy("cpu")
    first = Trainer(experiment, options, strategy)
    first.run.write_config(first.experiment)
    assert Run(tmp_path / "run").experiment().data.split_record.classes == ("ant", "bee", "cow")
    assert Trainer(experiment, options, strategy).experiment == first.experiment
    (tmp_path / "images" / "ant").rename(tmp_path / "images" / "dog")
    message = "images: the classes have changed: label 0 was ant when the run was started and is bee now; bring"
    with pytest.raises(DataError, match=message):
        Trainer(experiment, options, strategy)
    with pytest.raises(DataError, match=message):
        open_source(open_context(tmp_path / "run").data, (8, 8, 3))
    (tmp_path / "images").rename(tmp_path / "moved")
    with pytest.raises(DataError, match="moved: the classes have changed"):
        open_source(open_context(TargetOptions(str(tmp_path / "run"), f"folder:{tmp_path / 'moved'}")).data, (8, 8, 3))


def test_evaluation_of_a_moved_source_keeps_the_rule_of_the_run(tmp_path, old_run):
    root = tmp_path / "images"
    root.mkdir()
    set_source(old_run, f"folder:{save_pictures(root, color_images(12))}")
    moved = open_context(TargetOptions(str(old_run.path), data=f"folder:{root}/.")).data
    assert moved.split_record == SplitRecord("position")
    assert open_context(TargetOptions(str(old_run.path), data="bundled:mnist")).data.split_record is None


def test_evaluation_of_a_moved_source_draws_the_splits_of_the_run(tmp_path):
    """Its share of validation images, its protocol and its cutoffs decide which images were trained on."""
    (tmp_path / "images").mkdir()
    source = f"folder:{save_pictures(tmp_path / 'images', color_images(40))}"
    for i, options in enumerate([dict(validation=0.3), dict(paper_protocol=True), {}]):
        data = DataConfig(source, **options)
        record = open_source(data, (8, 8, 3)).split_record
        experiment = dataclasses.replace(TINY, data=dataclasses.replace(data, split_record=record))
        run = Run(tmp_path / f"run{i}")
        run.write_config(experiment)
        moved = shutil.copytree(tmp_path / "images", tmp_path / f"moved{i}")
        context = open_context(TargetOptions(str(run.path), data=f"folder:{moved}"))
        original, again = open_source(experiment.data, (8, 8, 3)), open_source(context.data, (8, 8, 3))
        for split in ("train", "validation", "test"):
            np.testing.assert_array_equal(again.rows[split], original.rows[split])
        assert (context.data.validation, context.data.paper_protocol) == (data.validation, data.paper_protocol)
        save_pictures(moved, color_images(60))
        more = open_source(context.data, (8, 8, 3)).split_record
        assert (more.test, more.validation) == (record.test, record.validation), "cutoffs are the run's"
    other = open_context(TargetOptions(str(tmp_path / "run0"), data="bundled:digits")).data
    assert other.validation == 0.3 and other.split_record is None


def test_evaluation_of_a_source_with_other_splits_than_the_runs_warns(tmp_path):
    names = ("train", "validation", "test")
    images = color_images(12)[..., :1]
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, images))
    np.savez(tmp_path / "b.npz", train=images, test=images)
    run = trainer(tmp_path / "run", f"npz:{tmp_path / 'a.npz'}")
    run.run.write_config(run.experiment)
    context = open_context(TargetOptions(str(tmp_path / "run"), data=f"npz:{tmp_path / 'b.npz'}"))
    context = dataclasses.replace(context, file_model=run.state.model)
    with pytest.warns(UserWarning, match=r"b.npz has other splits than npz:.*a.npz: if it holds the images"):
        assert context.source


def test_run_of_format_1_with_labels_is_refused_if_its_validation_had_another_size(old_run):
    config = old_run.experiment().data
    source = open_source(config, (8, 8, 1))
    check_old_split(old_run, config, source)
    source.rows["validation"] = source.rows["validation"][1:]
    with pytest.raises(DataError, match="validated on another number of images than the 149 that are held out now"):
        check_old_split(old_run, config, source)
    check_old_split(old_run, dataclasses.replace(config, on_damaged="skip"), source)  # which validated on fewer images


def test_run_of_format_1_that_tells_nothing_of_its_images_says_so(old_run, tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    set_source(old_run, f"folder:{save_pictures(root, color_images(12))}")
    old_run.metrics_path.unlink()
    config = dataclasses.replace(old_run.experiment().data, labels=False)
    with pytest.warns(UserWarning, match="kept no record of the images: if any were added"):
        check_old_split(old_run, config, open_source(config, (8, 8, 3)))


@pytest.mark.parametrize(
    ("value", "count", "possible"), [(0.653333, 150, True), (0.653333, 149, False), (1.0, 7, True)]
)
def test_only_shares_of_whole_images_are_possible(value, count, possible):
    assert is_share(value, count) == possible
