"""`evaluate.py`, as a person runs it, and its sub-commands."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from training.commands import ROOT, environment

from glow_tf.evaluation import commands, neighbours, reconstruction
from glow_tf.evaluation.comparison import auroc
from glow_tf.evaluation.subject import EvaluationError, open_subject
from glow_tf.latents import load_latents
from glow_tf.runs import RunError


def evaluate(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "evaluate.py", *map(str, arguments)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_short_report(tiny_run):
    done = evaluate(tiny_run)
    assert done.returncode == 0, done.stderr
    assert "bits/dim" in done.stdout and "+-" in done.stdout and "reconstruction error  0 of 255" in done.stdout
    for name in ("reconstructions.png", "samples.png"):
        assert Image.open(tiny_run / "pictures" / name).size > (100, 50)
    values = json.loads((tiny_run / "pictures" / "report.json").read_text())
    assert values["images"] == 300 and values["reconstruction_error"] == 0


def test_a_missing_run_is_one_sentence(tmp_path):
    done = evaluate(tmp_path / "nothing")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "is not a run folder" in done.stderr


def test_bits(tiny_run, capsys):
    commands.bits(str(tiny_run), draws=2, limit=32)
    out = capsys.readouterr().out
    assert "raw" in out and "averaged" in out and "2-draw bound" in out
    values = json.loads((tiny_run / "pictures" / "bits.json").read_text())
    assert values["raw"]["bits_per_dim"] != values["averaged"]["bits_per_dim"]
    assert len(values["raw"]["by_level"]) == 2


def test_samples_by_class_and_neighbours(tiny_conditional_run, capsys):
    commands.samples(str(tiny_conditional_run), columns=3)
    out = capsys.readouterr().out
    for name in ("samples.png", "samples_by_class.png", "nearest.png"):
        assert name in out and (tiny_conditional_run / "pictures" / name).is_file()


def test_reconstruct(tiny_run, capsys):
    commands.reconstruct(str(tiny_run), images=3)
    assert "largest error: 0 of 255" in capsys.readouterr().out


def test_redrawing_levels_keeps_the_coarse_ones(tiny_run):
    subject = open_subject(tiny_run)
    images, _, _ = subject.arrays("test", 3)
    rows = reconstruction.redraw_levels(subject.model, images)
    np.testing.assert_array_equal(rows[0], reconstruction.reconstruct(subject.model, images)[0])
    assert rows.shape == (3, *images.shape)
    coarse = [subject.model.encode(r)[-1].numpy() for r in rows]
    # Quantised to 4 bits and encoded again, the coarse latents come back roughly; those of a fresh sample do not.
    distance = [np.abs(c - coarse[0]).mean() for c in coarse]
    assert distance[1] < distance[2]
    np.testing.assert_array_equal(rows[-1], subject.model.sample(3, 0.7, seed=0).numpy())


def test_encode_writes_what_decodes_to_the_images(tiny_run, tmp_path, capsys):
    commands.encode(str(tiny_run), str(tmp_path), limit=5)
    x, z = np.load(tmp_path / "x.npy"), np.load(tmp_path / "z.npy")
    assert x.shape == (5, 8, 8, 1) and x.dtype == np.uint8 and z.shape == (5, 64)
    model = open_subject(tiny_run).model
    np.testing.assert_array_equal(model.decode(load_latents(tmp_path / "z.npy", model)), x)


def test_compare(tiny_run, capsys):
    commands.compare(str(tiny_run), against="bundled:mnist", limit=100)
    assert "AUROC" in capsys.readouterr().out
    assert (tiny_run / "pictures" / "comparison.png").is_file()


def test_auroc():
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 0


def test_nearest_finds_a_copy(tiny_run):
    images, _, _ = open_subject(tiny_run).arrays("train", 50)
    np.testing.assert_array_equal(neighbours.nearest(images[:4], images, 2)[:, 0], images[:4])


def test_judge(tiny_conditional_run, capsys):
    commands.judge(str(tiny_conditional_run), count=40)
    values = json.loads((tiny_conditional_run / "pictures" / "judge.json").read_text())
    assert values["real"] > 0.95 and 0 <= values["samples"] <= 1


def test_a_keras_file(tiny_run, tmp_path, capsys):
    path = tmp_path / "model.keras"
    open_subject(tiny_run).model.save(path)
    with pytest.raises(EvaluationError, match="give --data"):
        commands.bits(str(path))
    commands.bits(str(path), data="bundled:digits", draws=1, limit=16)
    assert (tmp_path / "model_evaluation" / "bits.json").is_file()
    path.write_bytes(b"nonsense")
    with pytest.raises(RunError, match="cannot be read as a Keras model"):
        commands.bits(str(path), data="bundled:digits")


def test_what_does_not_fit_the_model(tiny_run, tiny_conditional_run, tmp_path):
    with pytest.raises(EvaluationError, match="unconditional"):
        commands.judge(str(tiny_run))
    with pytest.raises(EvaluationError, match="needs an unconditional model"):
        commands.compare(str(tiny_conditional_run), against="bundled:mnist")
    with pytest.raises(RunError, match="is not a run folder"):
        commands.bits(str(tmp_path))
