"""Test that every example runs as the README says."""

import runpy
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from glow_tf import Glow, ModelConfig
from glow_tf.evaluation.own_files import read_own_image
from glow_tf.export import export_model
from helpers.commands import ROOT, run_fork

EXPECTED = {
    "density_2d": ("nats a point", "density_2d.png"),
    "joint_inpainting": ("accepted", "inpainting.png"),
    "keras_fit": ("bits/dim", "digits.keras"),
    "two_moons": ("nats a point", "moons.keras"),
}

SHORTER = {
    "density_2d": [("STEPS = 1200", "STEPS = 30"), ("range(8)", "range(2)"), ("20_000", "2_000")],
    "joint_inpainting": [
        ("num_burnin_steps=100", "num_burnin_steps=20"),
        ("num_adaptation_steps=80", "num_adaptation_steps=16"),
    ],
    "keras_fit": [("depth=4", "depth=1"), ("epochs=3", "epochs=1")],
    "two_moons": [("epochs=10", "epochs=2"), ("range(6)", "range(2)")],
}
"""What makes the work of examples shorter in the tests."""


def test_every_example_has_a_test():
    names = {p.stem for p in (ROOT / "examples").glob("*.py")}
    assert names == {*EXPECTED, "serve_client"}, "serve_client is run with an exported model, in test_export.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_example_runs_and_writes_its_file(name, tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source, path = (ROOT / "examples" / f"{name}.py").read_text(), tmp_path / f"{name}.py"
    for text, other_text in SHORTER[name]:
        assert source.count(text) == 1
        source = source.replace(text, other_text)
    path.write_text(source)
    # In-painting takes a trained run, and trains a model of its own only where none is given.
    monkeypatch.setattr(sys, "argv", [str(path), *([str(tiny_run)] if name == "joint_inpainting" else [])])
    runpy.run_path(str(path), run_name="__main__")
    text, file = EXPECTED[name]
    assert text in capsys.readouterr().out and (tmp_path / file).stat().st_size > 5000


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """Export the smallest color model that can be."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    export_model(Glow(ModelConfig(image_shape=(4, 4, 3), levels=1, depth=1, width=1)), folder)
    return folder


@pytest.fixture(scope="module")
def client():
    """Return the names of the client's module."""
    return runpy.run_path(str(ROOT / "examples" / "serve_client.py"))


def serve(client, *words):
    """Run the client; return what it exits with."""
    return client["main"]([str(word) for word in words])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
@pytest.mark.parametrize("shape", [(12, 8, 3), (4, 6, 1)])
def test_client_reads_images_as_the_library_does(client, mode, shape, tmp_path):
    ramp = np.linspace(0, 255, 12 * 24 * 4).reshape(24, 12, 4).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(ramp).convert("RGB" if mode == "CMYK" else mode).convert(mode).save(path, exif=exif)
    difference = client["read"](str(path), shape).astype(int) - read_own_image(path, shape)
    assert np.abs(difference).max() <= 1, "each rounds luminance in its own way"


def test_client_leaves_the_folder_of_the_images_alone(client, monkeypatch, tmp_path):
    def answer(**inputs):
        images = inputs["images"]
        return {"images": images, "bits_per_dim": tf.zeros(len(images))}

    signatures = {"bits_per_dim": answer, "reconstruct": answer}
    monkeypatch.setitem(client["main"].__globals__, "load", lambda _: (signatures, [4, 4, 3]))
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), "red").save(tmp_path / name / "photo.png")
    serve(client, "model", tmp_path / "out", tmp_path / "a" / "photo.png", tmp_path / "b" / "photo.png")
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")) == [
        "a/photo.png",
        "b/photo.png",
        "out/1_photo.png",
        "out/2_photo.png",
    ]


@pytest.mark.slow
def test_client_takes_a_photograph_of_another_size(client, saved_model, tmp_path, capsys):
    pixels = np.full((12, 24, 3), 200, np.uint8)
    pixels[:, :4] = pixels[:, 20:] = 0  # the center crop leaves the margins out
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=100)
    serve(client, saved_model, tmp_path / "out", tmp_path / "photo.jpg")
    out = capsys.readouterr().out
    assert "resized and cropped from 12x24 to the model's 4x4" in out and "bits/dim" in out
    decoded = np.asarray(Image.open(tmp_path / "out" / "1_photo.png"))
    assert decoded.shape == (4, 4, 3) and np.abs(decoded.astype(int) - 200).max() <= 10


@pytest.mark.slow
def test_client_reports_what_it_cannot_read_in_one_line(client, saved_model, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.new("I;16", (4, 4)).save(tmp_path / "deep.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for words, message in [
        ((saved_model, "out", tmp_path / "nothing.png"), "nothing.png cannot be read as an image: .*No such file"),
        ((saved_model, "out", tmp_path / "text.png"), "text.png cannot be read as an image: "),
        ((saved_model, "out", tmp_path / "deep.png"), "deep.png cannot be .*: its gray pixels have more than 8 bits"),
        ((saved_model, tmp_path / "text.png", tmp_path / "a.png"), "expected OUT to be a folder to write into: "),
        ((tmp_path, "out", tmp_path / "text.png"), r"expected an exported Glow \(python -m glow_tf.export"),
        ((saved_model, tmp_path / "text.png"), "expected SAVED_MODEL, OUT .* and at least one image file"),
    ]:
        with pytest.raises(SystemExit, match=message) as end:
            serve(client, *words)
        assert "\n" not in end.value.code


@pytest.mark.slow
def test_inpainting_refuses_another_model_in_one_line(tiny_conditional_run, tmp_path):
    for run, message in ((tmp_path, "is not a run folder"), (tiny_conditional_run, "expected an unconditional model")):
        _, err = run_fork(ROOT / "examples" / "joint_inpainting.py", run, code=1)
        assert message in err and err.count("\n") == 1
