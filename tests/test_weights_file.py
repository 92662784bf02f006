"""Test that damaged weights files are refused at every load, and files without a digest are taken as they are."""

import dataclasses
import shutil

import h5py
import numpy as np
import pytest

from glow_tf import Glow
from glow_tf.config import ModelConfig
from glow_tf.errors import RunError
from glow_tf.runs import load_keras
from glow_tf.weights_file import ATTRIBUTE, check_seal, written_config
from helpers.damage import DAMAGES, cut, empty, flip_bit

CONFIG = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4)


@pytest.fixture(scope="module")
def glow():
    """Make a model whose weights are all different."""
    model = Glow(CONFIG)
    model.set_weights([np.arange(w.size, dtype=w.dtype).reshape(w.shape) / 100 for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def files(glow, tmp_path_factory):
    """Write the model to a weights file and a `.keras` file; return their paths."""
    paths = [tmp_path_factory.mktemp("files") / name for name in ("m.weights.h5", "m.keras")]
    for path in paths:
        (glow.save_weights if path.name.endswith(".h5") else glow.save)(path)
    return paths


def assert_same_weights(model, glow):
    for weight, expected in zip(model.get_weights(), glow.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_whole_file_and_its_copy_are_loaded(files, glow, tmp_path):
    copy = tmp_path / "copy.weights.h5"
    shutil.copy(files[0], copy)
    model = Glow(CONFIG)
    model.load_weights(copy)
    assert_same_weights(model, glow)
    assert_same_weights(load_keras(files[1]), glow)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(files[1])
    assert_same_weights(model, glow)


def test_changed_number_is_refused(files, tmp_path):
    path = tmp_path / "changed.weights.h5"
    shutil.copy(files[0], path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        array = file[names[-1]]
        array[...] = np.nextafter(array[...], 9, dtype=np.float32)
    with pytest.raises(RunError, match=r"changed.weights.h5 is damaged: .* \(their digest differs\)"):
        Glow(CONFIG).load_weights(path)
    with h5py.File(path, "r+") as file:
        del file.attrs[ATTRIBUTE]
    Glow(CONFIG).load_weights(path)


@pytest.mark.slow
def test_flipped_bit_is_refused_or_changes_nothing(files, glow, tmp_path):
    path, model, refused = tmp_path / "flipped.weights.h5", Glow(CONFIG), 0
    for share in np.linspace(0, 1, 24):
        shutil.copy(files[0], path)
        flip_bit(path, share)
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        try:
            model.load_weights(path)
        except Exception as error:
            assert isinstance(error, RunError | OSError | ValueError | KeyError), repr(error)  # noqa: PT017 (see the name)
            refused += 1
        else:
            assert_same_weights(model, glow)
    assert refused > 4


@pytest.mark.parametrize("damage", [*DAMAGES[1:], lambda path: flip_bit(path, 0.5)])
def test_damaged_keras_file_is_one_sentence(damage, files, tmp_path):
    path = tmp_path / "m.keras"
    shutil.copy(files[1], path)
    damage(path)
    with pytest.raises(RunError, match=f"{path} cannot be read as a Keras model: .*damaged") as error:
        load_keras(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [empty, cut])
def test_file_that_cannot_be_read_is_one_sentence(damage, files, tmp_path):
    path = tmp_path / "m.weights.h5"
    shutil.copy(files[0], path)
    damage(path)
    with pytest.raises(RunError, match=f"{path} is damaged: "):
        check_seal(path)


def test_file_that_is_not_overwritten_keeps_its_digest_and_configuration(glow, tmp_path, monkeypatch):
    path = tmp_path / "a.weights.h5"
    glow.save_weights(path)
    before = path.read_bytes()
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    Glow(dataclasses.replace(CONFIG, bits=5)).save_weights(path, overwrite=False)
    assert path.read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    Glow(dataclasses.replace(CONFIG, bits=5)).save_weights(path, overwrite=False)
    assert written_config(path)["bits"] == 5
    check_seal(path)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_weights_of_a_whole_model_of_another_configuration_are_refused(name, glow, tmp_path):
    path = tmp_path / name
    glow.save(path)
    Glow(dataclasses.replace(CONFIG, recompute=True)).load_weights(path)
    for change in (dict(bits=5), dict(scale="exp"), dict(image_shape=(4, 4, 1))):
        with pytest.raises(RunError, match=rf"{name} holds the weights .* this model has {next(iter(change))} "):
            Glow(dataclasses.replace(CONFIG, **change)).load_weights(path)
