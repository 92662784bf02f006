"""Test that the SavedModel gives the model's numbers where nothing but TensorFlow can be imported."""

import functools
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import glow_tf.export
from glow_tf import Glow, deprecation, folders
from glow_tf.cli.export import main
from glow_tf.config import ModelConfig
from glow_tf.errors import RunError
from glow_tf.export import export_model
from glow_tf.interpolation import interpolate
from glow_tf.runs import load_model
from helpers.commands import ROOT, environment, run_fork
from helpers.damage import run_until_killed
from helpers.tiny_runs import make_run

CALL_SIGNATURES = """
import sys
from importlib.machinery import PathFinder

FOREIGN = ("glow_tf", "keras", "tf_keras", "tensorflow_probability")

class Others(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in FOREIGN else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Others  # before TensorFlow, which imports Keras where it finds it

import numpy as np
import tensorflow as tf

for folder in sys.argv[1:]:
    all_inputs = dict(np.load(f"{folder}.in.npz"))
    signatures = tf.saved_model.load(folder).signatures
    outputs = {}
    for key in sorted({k.split("/")[0] for k in all_inputs}):
        inputs = {k.split("/")[1]: tf.constant(v) for k, v in all_inputs.items() if k.startswith(key + "/")}
        for name, value in signatures[key](**inputs).items():
            outputs[f"{key}/{name}"] = value.numpy()
    np.savez(f"{folder}.out.npz", **outputs)
assert not [m for m in sys.modules if m.split(".")[0] in FOREIGN]
"""


def call_in_process_without_packages(inputs, cwd):
    """Call the signatures of SavedModels with `{folder: {signature/input: array}}` in a process without our packages;
    return their outputs, `{folder: {signature/output: array}}`."""
    for folder, arrays in inputs.items():
        np.savez(f"{folder}.in.npz", **arrays)
    command = [sys.executable, "-c", CALL_SIGNATURES, *map(str, inputs)]
    done = subprocess.run(command, env=environment(), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "custom gradients" not in done.stderr, "what only training needs was exported"
    return {folder: dict(np.load(f"{folder}.out.npz")) for folder in inputs}


def assert_same_images(images, expected):
    difference = np.abs(images.astype(int) - np.asarray(expected))
    assert difference.max() <= 16 and np.mean(difference > 0) <= 0.005, "4 bits: one level is 16"


@pytest.fixture(scope="module")
def mixed_run(tmp_path_factory):
    """Make a conditional run with mixed precision and recomputation, which an export must leave out."""
    path = tmp_path_factory.mktemp("mixed") / "run"
    return make_run(path, classes=10, network_dtype="bfloat16", recompute=True)


@pytest.fixture(scope="module")
def served(mixed_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "saved"
    main([str(mixed_run), str(folder), "--ema"])
    return folder


def test_export_under_its_old_name_warns_and_works(monkeypatch):
    monkeypatch.setattr(deprecation, "_warned", set())
    with pytest.warns(DeprecationWarning, match=r"glow_tf\.export\.export is now glow_tf\.export\.export_model"):
        assert glow_tf.export.export is export_model


def make_inputs(model):
    """Return inputs of all signatures of an export of a model, `{signature/input: array}`."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 8, 1), np.uint8)
    seed = np.array([3, 4], np.int32)
    inputs = {
        "bits_per_dim/images": images,
        "bits_per_dim/seed": seed,
        "log_prob/images": images,
        "log_prob/seed": seed,
        "encode/images": images,
        **{f"decode/eps_{i}": e.numpy() for i, e in enumerate(model.sample_latents(5, 0.8, seed=1))},
        "sample/count": np.int32(5),
        "sample/temperature": np.float32(0.7),
        "sample/seed": seed,
        "reconstruct/images": images,
        "interpolate/first": images[:2],
        "interpolate/second": images[2:4],
        "interpolate/steps": np.int32(4),
    }
    if model.config.classes:
        labels = np.arange(5, dtype=np.int32)
        inputs.update({f"{key}/labels": labels for key in {k.split("/")[0] for k in inputs}})
        inputs["interpolate/labels"] = labels[:2]
    return inputs


@pytest.fixture(scope="module")
def called(tiny_run, mixed_run, served, tmp_path_factory):
    """Call the SavedModels of raw weights and of conditional EMA weights in one process, which spares an import of
    TensorFlow; return the model, inputs and outputs of each."""
    raw = tmp_path_factory.mktemp("raw") / "saved"
    main([str(tiny_run), str(raw)])
    models = {raw: load_model(tiny_run), served: load_model(mixed_run, ema=True)}
    inputs = {folder: make_inputs(model) for folder, model in models.items()}
    outputs = call_in_process_without_packages(inputs, raw.parent)
    return [(models[folder], inputs[folder], outputs[folder]) for folder in models]


@pytest.mark.slow
def test_saved_model_of_raw_weights_matches_the_model(called):
    check_numbers(*called[0])


@pytest.mark.slow
def test_saved_model_of_conditional_ema_weights_matches_the_model(called):
    check_numbers(*called[1])


def check_numbers(model, inputs, outputs):
    """Compare the outputs of the SavedModel with those of the model in this process."""
    images, labels, seed = (inputs.get(name) for name in ("encode/images", "encode/labels", "sample/seed"))
    eps = [inputs[f"decode/eps_{i}"] for i in range(len(model.latent_shapes))]
    bits = model.bits_per_dim(images, labels, seed=seed)
    np.testing.assert_allclose(outputs["bits_per_dim/bits_per_dim"], bits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(outputs["log_prob/log_prob"], model.log_prob(images, labels, seed=seed), rtol=1e-5)
    for i, e in enumerate(model.encode(images, labels)):
        np.testing.assert_allclose(outputs[f"encode/eps_{i}"], e, atol=2e-4)
    np.testing.assert_allclose(outputs["decode/x"], model.flow.decode(eps, labels)[0], rtol=0, atol=2e-4)
    assert_same_images(outputs["decode/images"], model.decode(eps, labels))
    assert_same_images(outputs["sample/images"], model.sample(5, 0.7, labels, seed=seed))
    drawn = model.flow.decode(model.sample_latents(5, 0.7, seed=seed), labels)[0]
    np.testing.assert_allclose(outputs["sample/x"], drawn, rtol=0, atol=2e-4)
    np.testing.assert_array_equal(outputs["reconstruct/images"], images // 16 * 16)
    np.testing.assert_allclose(outputs["reconstruct/x"], model.dequantize(images, noise=0.5), rtol=0, atol=2e-4)
    first_labels = None if labels is None else labels[:2]
    interpolated = interpolate(model, images[:2], images[2:4], 4, first_labels)
    assert interpolated.shape == (2, 4, 8, 8, 1) and np.any(interpolated[:, 1] != interpolated[:, 0])
    assert_same_images(outputs["interpolate/images"], interpolated)
    np.testing.assert_array_equal(interpolated[:, 0], images[:2] // 16 * 16)


NO_LABELS = np.zeros(0, np.int32)


@pytest.fixture(scope="module")
def loaded(served):
    return tf.saved_model.load(str(served)).signatures


@pytest.mark.parametrize(
    ("signature", "changes", "message"),
    [
        ("encode", {"images": np.zeros((2, 9, 8, 1), np.uint8)}, r"images \[2,9,8,1\] .* expected shape \[\?,8,8,1\]"),
        ("encode", {"images": np.zeros((8, 8, 1), np.uint8)}, r"images \[8,8,1\] .* expected shape \[\?,8,8,1\]"),
        ("encode", {"images": np.zeros((0, 8, 8, 1), np.uint8), "labels": NO_LABELS}, "images: expected at least one"),
        ("encode", {"images": np.zeros((2, 8, 8, 1), np.float32)}, "encode.* expected to be a uint8 tensor"),
        ("encode", {"labels": np.array([0, 10], np.int32)}, "expected labels from 0 to 9"),
        ("encode", {"labels": np.array([0, -1], np.int32)}, "expected labels from 0 to 9"),
        ("encode", {"labels": np.array([0], np.int32)}, "labels: expected one per image"),
        ("encode", {"labels": None}, "missing a required argument: 'labels'"),
        ("bits_per_dim", {"seed": np.int32(1)}, r"seed \[\] .* expected shape \[2\]"),
        ("decode", {"eps_1": np.zeros((2, 2, 2, 7), np.float32)}, r"eps_1 .* expected shape \[\?,2,2,8\]"),
        ("decode", {"eps_1": np.zeros((1, 2, 2, 8), np.float32)}, "expected as many of each"),
        ("sample", {"count": np.int32(0), "labels": NO_LABELS}, "count: expected at least 1"),
        ("sample", {"count": np.int32(3)}, "labels: expected one per image"),
        ("sample", {"temperature": np.float32(-1)}, "temperature: expected 0 or more"),
        ("sample", {"temperature": np.float32("nan")}, "temperature: expected 0 or more"),
        ("sample", {"temperature": np.float32("inf")}, "temperature: expected a finite number"),
        ("decode", {"eps_1": np.full((2, 2, 2, 8), np.nan, np.float32)}, "eps_1: expected finite latents"),
        ("interpolate", {"steps": np.int32(1)}, "steps: expected at least 2"),
        ("interpolate", {"second": np.zeros((1, 8, 8, 1), np.uint8)}, "as many images of each"),
    ],
)
def test_saved_model_rejects_bad_input(signature, changes, message, loaded):
    images, labels, seed = np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1], np.int32), np.zeros(2, np.int32)
    eps = {"eps_0": np.zeros((2, 4, 4, 2), np.float32), "eps_1": np.zeros((2, 2, 2, 8), np.float32)}
    good = {
        "encode": {"images": images},
        "bits_per_dim": {"images": images, "seed": seed},
        "decode": eps,
        "sample": {"count": np.int32(2), "temperature": np.float32(1), "seed": seed},
        "interpolate": {"first": images, "second": images, "steps": np.int32(3)},
    }[signature]

    def call(inputs):
        return loaded[signature](**{k: tf.constant(v) for k, v in inputs.items() if v is not None})

    call({**good, "labels": labels})
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError), match=message):
        call({**good, "labels": labels, **changes})


@pytest.fixture(scope="module")
def smallest_glow():
    """Make the smallest Glow, whose export takes the least time."""
    return Glow(ModelConfig(image_shape=(2, 2, 1), levels=1, depth=1, width=1))


@pytest.mark.slow
def test_export_into_the_current_folder_is_refused(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved_model.pb").write_text("of an earlier export")
    for path in (".", "..", tmp_path):
        with pytest.raises(RunError, match="is the current folder, or lies above it"):
            export_model(smallest_glow, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["saved_model.pb"]


def write_nothing(module, path, **_):
    """Stand for `tf.saved_model.save`."""
    pathlib.Path(path).mkdir()
    (pathlib.Path(path) / "saved_model.pb").write_text("new")


def test_export_overwrites_only_a_saved_model_and_only_on_demand(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", write_nothing)
    user_file = tmp_path / "folder" / "notes.txt"
    user_file.parent.mkdir()
    user_file.write_text("notes")
    for path in (user_file, user_file.parent):
        with pytest.raises(RunError, match="is no SavedModel"):
            export_model(smallest_glow, path, overwrite=True)
    assert user_file.read_text() == "notes"
    saved = tmp_path / "saved"
    export_model(smallest_glow, saved)
    (saved / "old.txt").write_text("old")
    with pytest.raises(RunError, match="exists already"):
        export_model(smallest_glow, saved)
    assert (saved / "old.txt").exists()
    export_model(smallest_glow, saved, overwrite=True)
    assert not (saved / "old.txt").exists() and tf.saved_model.contains_saved_model(str(saved))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "saved"]


def test_failed_export_leaves_no_files(smallest_glow, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        export_model(smallest_glow, tmp_path / "file" / "saved")

    def full(module, path, **_):
        pathlib.Path(path).mkdir()
        raise OSError("no space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(RunError, match="no space left on device"):
        export_model(smallest_glow, tmp_path / "saved")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_killed_replacement_of_an_export_leaves_a_whole_one_at_its_name(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", write_nothing)
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").write_text("old")
    export = functools.partial(export_model, smallest_glow, saved, overwrite=True)
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)  # as on a system that cannot exchange names
    for moment in (1, 2):
        run_until_killed(export, moment)
        folders.prepare_folder(saved)  # as the next export begins
        assert (saved / "saved_model.pb").read_text() == "old"
    export()
    assert (saved / "saved_model.pb").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


def test_export_is_refused_where_tensorflow_could_not_read_it(smallest_glow, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda *_, **__: pytest.fail("written before the check"))
    with pytest.raises(RunError, match=r"has \[ in it, which TensorFlow takes for a pattern of names"):
        export_model(smallest_glow, tmp_path / "a[b]" / "saved")
    with pytest.raises(RunError, match="cannot write .*: File name too long"):
        export_model(smallest_glow, tmp_path / ("n" * 300) / "saved")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is the current folder, or lies above it"):
        export_model(smallest_glow, ".", overwrite=True)


@pytest.mark.slow
def test_export_of_a_keras_file_serves_the_example_client(smallest_glow, tmp_path):
    smallest_glow.save(tmp_path / "m.keras")
    main([str(tmp_path / "m.keras"), str(tmp_path / "saved")])
    with pytest.raises(RunError, match="one set of weights"):
        main([str(tmp_path / "m.keras"), str(tmp_path / "other"), "--ema"])
    image = np.random.default_rng(0).integers(0, 256, (2, 2), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    client = ROOT / "examples" / "serve_client.py"
    command = [sys.executable, str(client), str(tmp_path / "saved"), str(tmp_path / "a.png")]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bits/dim" in done.stdout
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png.decoded.png")), image)


@pytest.mark.slow
def test_export_for_litert_converts_and_gives_the_same_numbers(mixed_run, tmp_path):
    main([str(mixed_run), str(tmp_path / "saved"), "--litert"])
    names = ["encode", "decode"]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"), signature_keys=names)
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    encode, decode = map(interpreter.get_signature_runner, names)
    model = load_model(mixed_run)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    labels = np.arange(5, dtype=np.int32)
    eps = encode(images=images, labels=labels)
    for i, expected in enumerate(model.encode(images, labels)):
        np.testing.assert_allclose(eps[f"eps_{i}"], expected, atol=1e-4)
    outputs = decode(**eps, labels=labels)
    np.testing.assert_allclose(outputs["x"], model.dequantize(images, noise=0.5), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(outputs["images"], images // 16 * 16)


def test_export_command_accepts_the_old_name_of_ema_with_a_warning(smallest_glow, tmp_path):
    smallest_glow.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="--average is now --ema"), pytest.raises(RunError, match="one set of weights"):
        main([str(tmp_path / "m.keras"), str(tmp_path / "saved"), "--average"])


def test_saved_model_signature_names_are_stable(loaded):
    images, seed, labels = {"images": "uint8"}, {"seed": "int32"}, {"labels": "int32"}
    eps, x = {"eps_0": "float32", "eps_1": "float32"}, {"x": "float32"}
    table = {
        "bits_per_dim": (images | seed, {"bits_per_dim": "float32"}),
        "log_prob": (images | seed, {"log_prob": "float32"}),
        "encode": (images, eps),
        "decode": (eps, images | x),
        "sample": ({"count": "int32", "temperature": "float32"} | seed, images | x),
        "reconstruct": (images, images | x),
        "interpolate": ({"first": "uint8", "second": "uint8", "steps": "int32"}, images),
    }
    assert set(loaded) == set(table)
    for name, (inputs, outputs) in table.items():
        signature_inputs = {k: v.dtype.name for k, v in loaded[name].structured_input_signature[1].items()}
        assert signature_inputs == inputs | labels, name
        assert {k: v.dtype.name for k, v in loaded[name].structured_outputs.items()} == outputs, name


@pytest.mark.slow
def test_saved_model_cli_shows_the_images_size(served):
    words = ["-m", "tensorflow.python.tools.saved_model_cli", "show", "--dir", served]
    out, _ = run_fork(*words, "--tag_set", "serve", "--signature_def", "reconstruct")
    text = " ".join(out.split())
    assert "inputs['images'] tensor_info: dtype: DT_UINT8 shape: (-1, 8, 8, 1)" in text
    assert "outputs['x'] tensor_info: dtype: DT_FLOAT shape: (-1, 8, 8, 1)" in text
