"""Test models from presets, run folders and files."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from experiments.pretrained.__main__ import CHECKED_IMAGES, first_test_images, mean_bits_per_dim
from glow_tf import Glow, model_files, presets
from glow_tf.cli import export
from glow_tf.data import face_drawings, faces
from glow_tf.errors import ConfigError, RunError
from glow_tf.evaluation.context import TargetOptions, open_context
from glow_tf.export import saved_model
from glow_tf.runs import Run


def test_new_model_of_a_preset():
    glow = Glow.from_preset("digits", load_weights=False)
    assert glow.config == presets.get("digits").model and glow.uninitialized


def test_model_of_a_run_folder_or_a_keras_file(tiny_run, tmp_path):
    expected = Run(tiny_run).model(ema=True)
    glow = Glow.from_preset(tiny_run, ema=True)
    for ours, theirs in zip(glow.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    glow.save(tmp_path / "a.keras")
    loaded = Glow.from_preset(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], expected.get_weights()[0])
    Glow(glow.config, dtype="float64").save(tmp_path / "b.keras")
    assert Glow.from_preset(tmp_path / "b.keras", load_weights=False).compute_dtype == "float64"
    with pytest.raises(RunError, match="a.keras holds one set of weights, and no EMA weights besides"):
        Glow.from_preset(tmp_path / "a.keras", ema=True)
    with pytest.raises(RunError, match="digits holds one set of weights, and no EMA weights besides"):
        Glow.from_preset("digits", ema=True)
    fresh = Glow.from_preset(str(tiny_run), load_weights=False)
    assert fresh.config == expected.config and fresh.uninitialized


def test_preset_without_weights_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no weights of the preset cifar10 come with glow_tf, .* load_weights=False"):
        Glow.from_preset("cifar10")
    with pytest.raises(ConfigError, match="expected the name of a preset, .*, got 'cifar11'. Did you mean cifar10?"):
        Glow.from_preset("cifar11")
    with pytest.raises(RunError, match="is not a run folder"):
        Glow.from_preset(tmp_path)


def test_packaged_weights_are_those_of_their_preset(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    shutil.copy(Run(tiny_run).weights_path(), tmp_path / "digits.weights.h5")
    with pytest.raises(RunError, match="was written with another configuration"):
        Glow.from_preset("digits")


def test_commands_open_a_preset_with_weights_as_their_options_say(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    shutil.copy(Run(tiny_run).weights_path(), tmp_path / "digits.weights.h5")
    digits = presets.get("digits")
    model, data = Run(tiny_run).experiment().model, dataclasses.replace(digits.data, labels=True)
    monkeypatch.setitem(presets.PRESETS, "digits", dataclasses.replace(digits, model=model, data=data))
    assert open_context(TargetOptions("digits", class_attributes=("bun",))).data.class_attributes == ("bun",)
    with pytest.raises(RunError, match="digits holds one set of weights, and no EMA weights besides"):
        Glow.from_preset("digits", ema=True)
    exported = []
    monkeypatch.setattr(saved_model, "export_model", lambda glow, *_: exported.append(glow.get_weights()[0]))
    monkeypatch.chdir(tmp_path)
    export.main(["digits", "out"])
    np.testing.assert_array_equal(exported[0], Run(tiny_run).model().get_weights()[0])


def first_faces():
    """Draw the first test images of `bundled:faces` alone, which takes a second instead of a minute."""
    paint, first = face_drawings.Painter(), faces.COUNTS["train"]
    features = face_drawings.list_features(first + CHECKED_IMAGES)[first:]
    return faces.halved(np.stack([paint(face) for face in features]))


@pytest.mark.parametrize("name", ["digits", "faces"])
def test_packaged_weights_reach_the_bits_per_dim_of_their_card(name):
    card = json.loads((model_files.PACKAGED_WEIGHTS / f"{name}.json").read_text())
    glow = Glow.from_preset(name)
    expected = card["first_test_images"]["bits_per_dim"]
    images = first_faces() if name == "faces" else first_test_images(presets.get(name))
    assert mean_bits_per_dim(glow, images) == pytest.approx(expected, abs=1e-4)
    context = open_context(TargetOptions(name))
    assert context.data == presets.get(name).data and context.out.name == f"{name}_evaluation"
    np.testing.assert_array_equal(context.model.get_weights()[0], glow.get_weights()[0])
    with pytest.raises(
        RunError, match="holds one set of weights, and no EMA weights besides; leave the option ema out"
    ):
        open_context(TargetOptions(name, ema=True))


def test_packaged_weights_are_small():
    sizes = [path.stat().st_size for path in model_files.PACKAGED_WEIGHTS.iterdir()]
    assert sizes and sum(sizes) <= 12_000_000
