"""Test the presets of the paper's table at full size."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import presets
from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.errors import ConfigError
from glow_tf.experiment_file import FORMAT
from glow_tf.model import Glow
from glow_tf.runs import Run
from glow_tf.training import session
from glow_tf.training.state import TrainingState
from glow_tf.training.step import TrainingStep

MILLIONS = {  # parameters, of the paper's table of experiments
    "cifar10": 44.6,
    "imagenet32": 66.9,
    "imagenet64": 112.4,
    "lsun_bedroom": 66.9,
    "lsun_tower": 66.9,
    "lsun_church": 66.9,
    "celebahq256": 175.1,
    "lsun_bedroom96": 200.4,
    "lsun_bedroom128": 200.4,
    "lsun_tower96": 200.4,
    "lsun_tower128": 200.4,
    "lsun_church96": 200.4,
    "lsun_church128": 200.4,
    "ablation_1x1_affine": 44.6,
    "ablation_1x1_additive": 38.4,
    "ablation_shuffle_affine": 44.5,  # without the 96,768 weights of the 1x1 convolutions
    "ablation_shuffle_additive": 38.3,
    "ablation_reverse_affine": 44.5,
    "ablation_reverse_additive": 38.3,
}
PAPER = [name for name, experiment in presets.PRESETS.items() if experiment.model.width == 512]


def distinct(names):
    """Return one name for each different model."""
    return list({presets.get(name).model: name for name in reversed(names)}.values())


DISTINCT = distinct(PAPER)


def count_parameters(config):
    """Return the number of parameters of a model, which is linear in its depth, from depths 1 and 2."""
    one, two = (Glow(dataclasses.replace(config, depth=depth)).count_params() for depth in (1, 2))
    return one + (two - one) * (config.depth - 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DISTINCT if name in MILLIONS])
def test_preset_has_the_papers_number_of_parameters(name):
    assert round(count_parameters(presets.get(name).model) / 1e6, 1) == MILLIONS[name]


WITH_A_STEP = (
    "cifar10",
    "cifar10_conditional",
    "ablation_1x1_additive",
    "ablation_shuffle_affine",
    "ablation_reverse_additive",
)
"""Presets of 32x32 pixels with every permutation, every coupling, and labels; narrow, the others are like these."""


def test_number_of_parameters_is_linear_in_the_depth():
    config = dataclasses.replace(presets.get("cifar10").model, depth=4)
    assert Glow(config).count_params() == count_parameters(config)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_A_STEP)
def test_32_pixel_preset_takes_a_step(name, tmp_path):
    """Take it narrow, with two levels of one step; `test_model.py` trains K=32, L=3."""
    session.set_up(RunOptions(devices="cpu"))  # as train.py does: without the graph optimizer a step starts sooner
    experiment = presets.get(name)
    experiment = dataclasses.replace(
        experiment,
        model=dataclasses.replace(experiment.model, levels=2, depth=1, width=8),
        training=dataclasses.replace(experiment.training, warmup_steps=0),
    )
    state = TrainingState(experiment, Run(tmp_path))
    step = TrainingStep(state.model, state.optimizer, state.ema, state.counters, tf.distribute.get_strategy(), 1)
    before = [v.numpy() for v in state.model.trainable_variables]
    rng = np.random.default_rng(0)
    step(
        {
            "image": rng.integers(0, 256, (1, 32, 32, 3), np.uint8),
            "label": np.array([3], np.int32),
            "noise": rng.random((1, 32, 32, 3), np.float32),
        }
    )
    assert state.steps == 1 and int(state.counters.skipped) == 0
    assert np.isfinite(state.counters.sums.numpy()).all()
    changed = [np.any(v.numpy() != b) for v, b in zip(state.model.trainable_variables, before, strict=True)]
    assert sum(changed) > len(changed) / 3


def test_the_anchor_rule_gives_the_originals_numbers():
    # 1, 8 and 40 GPUs of the original: batch 64, 512 and 2560 images of 32 x 32.
    for batch, beta2, steps in ((64, 0.9987, 782), (512, 0.9898, 98), (2560, 0.95, 20)):
        training = TrainingConfig(batch_size=batch).anchored((32, 32, 3))
        assert training.epoch_steps == steps
        assert training.beta2 == pytest.approx(beta2, abs=5e-5)
        assert training.warmup_steps == pytest.approx(500_000 / batch)
        assert training.init_images == 256
    large = TrainingConfig(batch_size=40).anchored((256, 256, 3))
    assert (large.epoch_steps, large.init_images) == (20, 4)
    assert TrainingConfig(batch_size=16).anchored((64, 64, 3)).init_images == 64


def test_preset_run_folder_round_trip(tmp_path):
    for name, experiment in presets.PRESETS.items():
        run = Run.create(tmp_path / name, experiment)
        assert run.experiment() == experiment
        assert json.loads(run.config_path.read_text())["format"] == FORMAT
        assert experiment.name == name and experiment.about


def differing_fields(name, other):
    """Return the fields in which two presets differ, as names `part.field`."""
    return [line.split(":")[0] for line in presets.differences(presets.get(name), presets.get(other))]


@pytest.mark.parametrize("size", ["", "96", "128"])
@pytest.mark.parametrize(("category", "folder"), [("tower", "tower"), ("church", "church_outdoor")])
def test_lsun_presets_of_one_size_differ_only_in_the_source(category, folder, size):
    assert differing_fields(f"lsun_bedroom{size}", f"lsun_{category}{size}") == ["data.source"]
    source = presets.get(f"lsun_bedroom{size}").data.source
    assert presets.get(f"lsun_{category}{size}").data.source == source.replace("bedroom", folder)


@pytest.mark.parametrize("category", ["bedroom", "tower", "church"])
def test_lsun_presets_of_one_category_differ_only_in_size_and_batch(category):
    fields = ["model.image_shape", "training.batch_size"]
    assert differing_fields(f"lsun_{category}96", f"lsun_{category}128") == fields


@pytest.mark.parametrize("permutation", ["reverse", "shuffle", "1x1"])
@pytest.mark.parametrize("coupling", ["additive", "affine"])
def test_ablation_presets_differ_from_cifar10_only_in_permutation_and_coupling(permutation, coupling):
    model = presets.get(f"ablation_{permutation}_{coupling}").model
    assert (model.permutation, model.coupling) == (permutation, coupling)
    fields = differing_fields("cifar10", f"ablation_{permutation}_{coupling}")
    assert set(fields) <= {"model.permutation", "model.coupling"}


def test_preset_table_has_one_line_per_preset():
    lines = presets.table().splitlines()
    assert [line.split()[0] for line in lines] == list(presets.PRESETS)
    assert all(line.endswith(e.about) for line, e in zip(lines, presets.PRESETS.values(), strict=True))


def test_preset_names_are_unique():
    modules = (presets.first_runs, presets.likelihood, presets.qualitative, presets.conditional, presets.ablation)
    assert len(presets.PRESETS) == sum(len(module.EXPERIMENTS) for module in modules) == 27


def test_an_unknown_preset_lists_the_names():
    with pytest.raises(ConfigError, match=r"expected one of digits, .*cifar10.*got 'cifar'"):
        presets.get("cifar")


def test_preset_differences_name_the_field_and_both_values():
    ours = Experiment(ModelConfig(), DataConfig(), TrainingConfig())
    theirs = dataclasses.replace(ours, model=ModelConfig(width=64), training=TrainingConfig(epochs=3))
    assert presets.differences(ours, theirs, ("training.epochs",)) == ["model.width: 512 -> 64"]
    assert len(presets.differences(ours, theirs)) == 2
