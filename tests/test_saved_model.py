"""Test that the SavedModel gives the model's numbers where nothing but TensorFlow can be imported."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from glow_tf.cli.export import main
from glow_tf.runs import load_model
from helpers.commands import run_fork
from helpers.saved_models import call_in_process_without_packages, check_numbers, make_inputs
from helpers.tiny_runs import make_run


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


@pytest.fixture(scope="module")
def called(mixed_run, served, tmp_path_factory):
    """Call the SavedModels of raw weights and of conditional EMA weights in one process, which spares an import of
    TensorFlow; return the model, inputs and outputs of each, and the image file and the output of the client."""
    folder = tmp_path_factory.mktemp("raw")
    raw, run = folder / "saved", make_run(folder / "run", levels=1)
    main([str(run), str(raw)])
    models = {raw: load_model(run), served: load_model(mixed_run, ema=True)}
    inputs = {path: make_inputs(model) for path, model in models.items()}
    Image.fromarray(inputs[raw]["encode/images"][0, ..., 0]).save(folder / "a.png")
    outputs, printed = call_in_process_without_packages(inputs, folder / "a.png")
    return [(models[path], inputs[path], outputs[path]) for path in models], folder / "a.png", printed


@pytest.mark.slow
def test_saved_model_of_raw_weights_matches_the_model(called):
    check_numbers(*called[0][0])


@pytest.mark.slow
def test_saved_model_of_conditional_ema_weights_matches_the_model(called):
    check_numbers(*called[0][1])


@pytest.mark.slow
def test_example_client_needs_tensorflow_and_pillow_alone(called):
    _, image, printed = called
    assert "bits/dim" in printed
    decoded = np.asarray(Image.open(image.parent / "decoded" / "1_a.png"))
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(image)) // 16 * 16, "4 bits")


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


NO_LABELS = np.zeros(0, np.int32)


@pytest.fixture(scope="module")
def loaded(served):
    return tf.saved_model.load(str(served)).signatures


@pytest.mark.parametrize(
    ("signature", "changes", "message"),
    [
        ("encode", {"images": np.zeros((2, 9, 8, 1), np.uint8)}, r"(?s)images.*\[2,9,8,1\].*shape \[\?,8,8,1\]"),
        ("encode", {"images": np.zeros((8, 8, 1), np.uint8)}, r"(?s)images.*\[8,8,1\].*shape \[\?,8,8,1\]"),
        ("encode", {"images": np.zeros((0, 8, 8, 1), np.uint8), "labels": NO_LABELS}, "images: expected at least one"),
        ("encode", {"images": np.zeros((2, 8, 8, 1), np.float32)}, "encode.* expected to be a uint8 tensor"),
        ("encode", {"labels": np.array([0, 10], np.int32)}, "expected labels from 0 to 9"),
        ("encode", {"labels": np.array([0, -1], np.int32)}, "expected labels from 0 to 9"),
        ("encode", {"labels": np.array([0], np.int32)}, "labels: expected one per image"),
        ("encode", {"labels": None}, "missing a required argument: 'labels'"),
        ("bits_per_dim", {"seed": np.int32(1)}, r"(?s)seed.*\[\].*shape \[2\]"),
        ("decode", {"eps_1": np.zeros((2, 2, 2, 7), np.float32)}, r"(?s)eps_1.*shape \[\?,2,2,8\]"),
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
