"""The SavedModel gives the model's numbers where nothing but TensorFlow can be imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from training.commands import ROOT, environment

from glow_tf.export import export, main
from glow_tf.runs import RunError, load_model

ELSEWHERE = """
import sys

import numpy as np
import tensorflow as tf  # imports Keras itself where it is installed, so all are barred afterwards

FOREIGN = ("glow_tf", "keras", "tf_keras", "tensorflow_probability")

class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in FOREIGN:
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Barred())
for name in [m for m in sys.modules if m.split(".")[0] in FOREIGN]:
    del sys.modules[name]
folder, arrays, out = sys.argv[1:]
given = dict(np.load(arrays))
signatures = tf.saved_model.load(folder).signatures
found = {}
for key in sorted({k.split("/")[0] for k in given}):
    inputs = {k.split("/")[1]: tf.constant(v) for k, v in given.items() if k.startswith(key + "/")}
    for name, value in signatures[key](**inputs).items():
        found[f"{key}/{name}"] = value.numpy()
np.savez(out, **found)
"""


def call_elsewhere(folder, inputs, tmp_path):
    """The outputs of the signatures for `{signature/input: array}`, computed in a process without our packages."""
    np.savez(tmp_path / "in.npz", **inputs)
    command = [sys.executable, "-c", ELSEWHERE, str(folder), str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(tmp_path / "out.npz"))


def assert_same_images(images, expected):
    off = np.abs(images.astype(int) - np.asarray(expected))
    assert off.max() <= 16 and np.mean(off > 0) <= 0.005, "4 bits: one level is 16"


@pytest.mark.parametrize("run", ["tiny_run", "tiny_conditional_run"])
@pytest.mark.parametrize("average", [False, True])
def test_the_same_numbers_elsewhere(run, average, request, tmp_path):
    run = request.getfixturevalue(run)
    main([str(run), str(tmp_path / "saved"), *(["--average"] if average else [])])
    model = load_model(run, average)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 8, 1), np.uint8)
    labels = np.arange(5, dtype=np.int32) if model.config.classes else None
    seed = np.array([3, 4], np.int32)
    eps = [e.numpy() for e in model.sample_latents(5, 0.8, seed=1)]
    inputs = {
        "bits_per_dim/images": images,
        "bits_per_dim/seed": seed,
        "log_prob/images": images,
        "log_prob/seed": seed,
        "encode/images": images,
        **{f"decode/eps_{i}": e for i, e in enumerate(eps)},
        "sample/count": np.int32(5),
        "sample/temperature": np.float32(0.7),
        "sample/seed": seed,
        "reconstruct/images": images,
        "interpolate/first": images[:2],
        "interpolate/second": images[2:4],
        "interpolate/steps": np.int32(3),
    }
    if labels is not None:
        inputs.update({f"{key}/labels": labels for key in {k.split("/")[0] for k in inputs}})
        inputs["interpolate/labels"] = labels[:2]
    found = call_elsewhere(tmp_path / "saved", inputs, tmp_path)
    np.testing.assert_allclose(
        found["bits_per_dim/bits_per_dim"], model.bits_per_dim(images, labels, seed=seed), rtol=1e-5
    )
    np.testing.assert_allclose(found["log_prob/log_prob"], model.log_prob(images, labels, seed=seed), rtol=1e-5)
    for i, e in enumerate(model.encode(images, labels)):
        np.testing.assert_allclose(found[f"encode/eps_{i}"], e, atol=2e-4)
    x = model.flow.decode(eps, labels)[0]
    np.testing.assert_allclose(found["decode/x"], x, atol=2e-4 * np.abs(x).max())
    assert_same_images(found["decode/images"], model.decode(eps, labels))
    assert_same_images(found["sample/images"], model.sample(5, 0.7, labels, seed=seed))
    np.testing.assert_array_equal(found["reconstruct/images"], images // 16 * 16)
    between = found["interpolate/images"]
    assert between.shape == (2, 3, 8, 8, 1)
    np.testing.assert_array_equal(between[:, 0], images[:2] // 16 * 16)
    if labels is None:  # else the second images are encoded with the labels of the first
        np.testing.assert_array_equal(between[:, -1], images[2:4] // 16 * 16)


@pytest.fixture(scope="module")
def served(tiny_conditional_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "saved"
    export(load_model(tiny_conditional_run), folder)
    return folder


@pytest.mark.parametrize(
    ("signature", "changes", "message"),
    [
        ("encode", {"images": np.zeros((2, 9, 8, 1), np.uint8)}, r"images: expected uint8 \[n, 8, 8, 1\]"),
        ("encode", {"images": np.zeros((2, 8, 8, 3), np.uint8)}, r"images: expected uint8 \[n, 8, 8, 1\]"),
        ("encode", {"images": np.zeros((2, 8, 8, 1), np.float32)}, r"uint8"),
        ("encode", {"labels": np.array([0, 10], np.int32)}, r"labels: expected 0 to 9"),
        ("encode", {"labels": np.array([0, -1], np.int32)}, r"labels: expected 0 to 9"),
        ("encode", {"labels": np.array([0], np.int32)}, r"labels: expected one per image"),
        ("sample", {"count": np.int32(0), "labels": np.zeros(0, np.int32)}, r"count: expected at least 1"),
        ("sample", {"temperature": np.float32(-1)}, r"temperature: expected 0 or more"),
        ("interpolate", {"steps": np.int32(1)}, r"steps: expected at least 2"),
        ("interpolate", {"second": np.zeros((1, 8, 8, 1), np.uint8)}, r"as many images of each|one per image"),
    ],
)
def test_bad_input_is_named(signature, changes, message, served):
    images, labels = np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1], np.int32)
    good = {
        "encode": {"images": images, "labels": labels},
        "sample": {"count": np.int32(2), "temperature": np.float32(1), "seed": np.zeros(2, np.int32), "labels": labels},
        "interpolate": {"first": images, "second": images, "steps": np.int32(3), "labels": labels},
    }[signature]
    call = tf.saved_model.load(str(served)).signatures[signature]
    call(**{k: tf.constant(v) for k, v in good.items()})
    with pytest.raises(Exception, match=message):
        call(**{k: tf.constant(v) for k, v in {**good, **changes}.items()})


def test_nothing_is_overwritten_or_left_behind(tiny_run, tmp_path):
    model = load_model(tiny_run)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        export(model, tmp_path / "saved")
    assert (tmp_path / "saved" / "mine.txt").read_text() == "mine"
    export(model, tmp_path / "saved", overwrite=True)
    assert not (tmp_path / "saved" / "mine.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        export(model, tmp_path / "file" / "saved")


def test_a_keras_file_and_the_client(tiny_run, tmp_path):
    load_model(tiny_run).save(tmp_path / "m.keras")
    main([str(tmp_path / "m.keras"), str(tmp_path / "saved")])
    with pytest.raises(RunError, match="one set of weights"):
        main([str(tmp_path / "m.keras"), str(tmp_path / "other"), "--average"])
    image = np.random.default_rng(0).integers(0, 16, (8, 8), np.uint8) * 16
    Image.fromarray(image).save(tmp_path / "a.png")
    client = ROOT / "examples" / "serve_client.py"
    command = [sys.executable, str(client), str(tmp_path / "saved"), str(tmp_path / "a.png")]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bits/dim" in done.stdout
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.decoded.png")), image)


def test_the_command_describes_itself(served):
    command = [sys.executable, "-m", "glow_tf.export", "nothing", "out"]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "is not a run folder" in done.stderr and done.stderr.count("\n") == 1
    loaded = tf.saved_model.load(str(served))
    names = ("bits_per_dim", "log_prob", "encode", "decode", "sample", "reconstruct", "interpolate")
    assert set(names) <= set(loaded.signatures)
    assert json.dumps(sorted(loaded.signatures["decode"].structured_outputs)) == '["images", "x"]'
