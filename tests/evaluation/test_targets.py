"""Test `evaluate.py` as a command, and its sub-commands."""

import dataclasses
import html
import io
import json
import math
import re
import shutil
import sys
import types
import zlib

import numpy as np
import pytest
from PIL import Image

from glow_tf import Glow, ModelConfig, batched
from glow_tf.cli import evaluate
from glow_tf.config import DataConfig
from glow_tf.errors import ConfigError, DataError, GlowError, RunError
from glow_tf.evaluation import accuracy, commands, comparison, reconstruction
from glow_tf.evaluation.accuracy import SampleClassifier
from glow_tf.evaluation.comparison import Histograms, auroc
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.examples import choose_examples, spread_over_classes
from glow_tf.evaluation.options import PictureOptions, progress_bar
from glow_tf.evaluation.samples import nearest_images
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.latents import load_latents
from glow_tf.runs import Run
from helpers.commands import call
from helpers.source_cases import save_pictures


def files(run):
    """Read every file of a run folder that evaluate.py does not write."""
    return {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and run / "evaluation" not in p.parents}


def texts(path):
    """Return the texts of an SVG."""
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())]


def numbers(folder, name):
    return json.loads((folder / name).read_text(), parse_constant=pytest.fail)


@pytest.mark.slow
def test_report_command_writes_its_files_and_leaves_the_run_unchanged(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = files(run)
    out, err = call(evaluate.main, evaluate.NAME, run)
    assert "bits/dim" in out and "+-" in out and "reconstruction error  0 of 255" in out
    assert "images/s" not in err, "no progress bar where there is no terminal"
    for name in ("report_reconstructions.png", "report_samples.png"):
        assert Image.open(run / "evaluation" / name).size > (100, 50)
    values = numbers(run / "evaluation", "report.json")
    assert values["images"] == 300 and values["reconstruction_error"] == 0
    assert files(run) == before, "the run itself is left alone"


@pytest.mark.slow
def test_bits_command_reports_raw_and_ema_bits_per_dim(tiny_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.bits(target, draws=2, limit=32)
    out = capsys.readouterr().out
    assert "\n  raw " in out and "\n  ema " in out and "2-draw bound" in out
    values = numbers(tmp_path, "bits_draws_2_limit_32.json")
    assert values["raw"]["bits_per_dim"] != values["ema"]["bits_per_dim"]
    assert len(values["raw"]["by_level"]) == 2


def test_bits_command_shows_the_papers_value(tiny_run, tmp_path, capsys):
    shutil.copytree(tiny_run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "name": "cifar10"}))
    commands.bits(TargetOptions(str(tmp_path / "run")), draws=1)
    assert "paper    3.35" in capsys.readouterr().out
    values = numbers(tmp_path / "run" / "evaluation", "bits_draws_1.json")
    assert values["paper"] == 3.35 and values["raw"]["error_over_draws"] is None, "no NaN, which is not JSON"
    commands.bits(TargetOptions(str(tmp_path / "run")), draws=1, limit=4)
    assert "paper" not in capsys.readouterr().out, "it is of all images"


def test_samples_command_draws_classes_and_nearest_neighbors(tiny_conditional_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_conditional_run), out=str(tmp_path))
    commands.samples(target, columns=3, temperatures=(0.0, 0.7), seed=5)
    out = capsys.readouterr().out
    assert "labels enter through the top prior alone" in out
    suffix = "_columns_3_temperatures_0_0.7_seed_5"
    assert {p.name for p in (tmp_path / f"samples{suffix}").iterdir()} == {"temperature_0.png", "temperature_0.7.png"}
    for name in (f"samples{suffix}.png", f"nearest{suffix}.png"):
        assert name in out and (tmp_path / name).is_file()
    by_class = Image.open(tmp_path / f"samples{suffix}" / "temperature_0.7.png")
    assert by_class.height > 10 * 64 > by_class.width, "ten rows, three columns"
    assert set(numbers(tmp_path, f"samples{suffix}.json")["temperatures"]) == {"0", "0.7"}


def test_reconstruct_command_is_exact_and_redraws_levels(tiny_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.reconstruct(target, shown=3, seed=5, pictures=PictureOptions("svg"))
    assert "largest error of 3 images: 0 of 255" in capsys.readouterr().out
    values = numbers(tmp_path, "reconstructions_shown_3_seed_5.json")
    assert values["change"]["none"] == 0 < values["change"]["finest 1"] < values["change"]["all"]
    assert [name[-3:] for name in values["names"]] == ["(0)", "(4)", "(9)"], "of classes that differ"
    shown = texts(tmp_path / "reconstructions_shown_3_seed_5.svg")
    assert shown[:2] == ["Reconstructions", f"{tiny_run.name}, raw weights; redrawn at temperature 0.7, seed 5"]
    rows = ["image", "reconstruction", "error (none)", "finest level redrawn", "all levels redrawn"]
    assert {"0", "4", "9", "largest 0", *rows} == set(shown[2:])


def test_error_row_of_reconstructions_shows_differences_alone():
    images = np.zeros((2, 8, 8, 1), np.uint8)
    decoded = images.copy()
    decoded[1, 2, 3] = 48
    model = types.SimpleNamespace(config=types.SimpleNamespace(bits=4))
    row = reconstruction.draw_sheet(model, images, decoded).rows[2]
    assert row.label == "error, 5 times enlarged" and row.captions == ["largest 0", "largest 48"]
    assert row.images.sum() == row.images[1, 2, 3] == 240


def test_examples_are_of_all_classes_and_reach_the_end_of_a_sorted_split(tiny_run, tiny_conditional_run):
    examples = choose_examples(open_context(tiny_run), 12)
    assert [int(heading) for heading in examples.headings] == [*range(10), 0, 1] and examples.labels is None
    numbered = [int(re.search(r"test image (\d+)", name)[1]) for name in examples.names]
    images = open_context(tiny_run).arrays("test")[0]
    np.testing.assert_array_equal(examples.images, images[numbered])
    assert choose_examples(open_context(tiny_conditional_run), 3).labels.tolist() == [0, 4, 9]
    np.testing.assert_array_equal(spread_over_classes(np.repeat([3, 5, 7], [4, 1, 1]), 5), [0, 4, 5, 1, 2])


def test_results_of_ema_weights_and_other_data_have_folders_of_their_own(tiny_run):
    run = str(tiny_run)
    folders = [
        open_context(TargetOptions(run, **options)).out.relative_to(tiny_run).as_posix()
        for options in (
            {},
            {"data": "bundled:digits"},
            {"ema": True},
            {"data": "bundled:mnist", "ema": True},
            {"data": "folder:a/b"},
            {"fit": "crop"},
            {"data": "bundled:mnist", "fit": "resize"},
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
            )
        ),
    ]
    assert open_context(TargetOptions(run, ema=True, out="here")).out.as_posix() == "here"


def test_redrawing_fine_levels_keeps_the_coarse_latents(tiny_run):
    context = open_context(tiny_run)
    images, _, _ = context.arrays("test", 3)
    rows = reconstruction.redraw_levels(context.model, images)
    assert len(rows) == 3 and all(row.finite.all() for row in rows)
    rows = [row.images for row in rows]
    np.testing.assert_array_equal(rows[0], reconstruction.reconstruct(context.model, images)[0])
    coarse = [context.model.encode(r)[-1].numpy() for r in rows]
    # Quantized to 4 bits and encoded again, the coarse latents come back roughly; those of a fresh sample do not.
    distance = [np.abs(c - coarse[0]).mean() for c in coarse]
    assert distance[1] < distance[2]
    np.testing.assert_array_equal(rows[-1], context.model.sample(3, 0.7, seed=0).numpy())


def test_encode_command_writes_latents_that_decode_to_the_images(tiny_run, tmp_path, capsys):
    commands.encode(TargetOptions(str(tiny_run), out=str(tmp_path)), limit=5)
    x, z = np.load(tmp_path / "x_limit_5.npy"), np.load(tmp_path / "z_limit_5.npy")
    assert x.shape == (5, 8, 8, 1) and x.dtype == np.uint8 and z.shape == (5, 64)
    model = open_context(tiny_run).model
    np.testing.assert_array_equal(model.decode(load_latents(tmp_path / "z_limit_5.npy", model)), x)


@pytest.mark.slow
def test_compare_command_reports_auroc(tiny_run, tmp_path, capsys):
    target = TargetOptions(str(tiny_run), out=str(tmp_path))
    commands.compare(target, against="bundled:mnist", limit=100)
    assert "AUROC" in capsys.readouterr().out
    assert (tmp_path / "comparison_bundled_mnist_limit_100.png").is_file()
    commands.compare(target, against="bundled:digits", limit=50)
    assert numbers(tmp_path, "comparison_bundled_digits_limit_50.json")["auroc"] == 0.5, "a data set against itself"


def test_auroc_of_separated_scores():
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 0
    assert auroc(np.array([1.0, 2.0]), np.array([np.inf, np.nan])) == 1, "less likely than any"
    assert auroc(np.array([1.0, np.inf]), np.array([np.nan, 0.5])) == 0.375, "equals count half"


def test_histograms_leave_far_values_out_and_say_so(tmp_path, monkeypatch):
    inside = np.append(np.linspace(3, 4, 199), 40.0)
    outside = np.append(np.linspace(4, 5, 199), [-9.0, 0.5])
    figures = []
    monkeypatch.setattr(comparison, "save_figure", lambda path, figure, scale: figures.append(figure))
    Histograms([("digits", inside), ("a$b$", outside)], 0.987, "run, raw weights").save(tmp_path / "a.png")
    Histograms([("a", np.ones(3)), ("b", np.ones(2))], 0.5, "").save(tmp_path / "b.png")
    Histograms([("a", np.ones(3)), ("b", np.array([np.nan, 1.0]))], 0.5, "").save(tmp_path / "c.png")
    (*_, label) = figures.pop().axes[0].get_legend().get_texts()
    assert label.get_text() == "b (of 2 images 1 not finite and outside the range drawn)"
    with pytest.raises(DataError, match="no image has finite bits/dim"):
        Histograms([("a", np.full(3, np.inf)), ("b", np.full(2, np.nan))], 0.5, "").save(tmp_path / "d.png")
    [axes], [equal_values] = (figure.axes for figure in figures)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "digits (of 200 images 1 above the range drawn)",
        "a$b$ (of 201 images 2 below and 1 above the range drawn)",
    ]
    assert axes.get_title() == "Bits/dim of two data sets under run, raw weights: AUROC 0.987"
    heights = np.reshape([patch.get_height() for patch in axes.patches], [2, comparison.BINS])
    np.testing.assert_allclose(heights.sum(1), [199 / 200, 198 / 201])
    np.testing.assert_allclose([patch.get_height() for patch in equal_values.patches if patch.get_height()], [1, 1])


def test_nearest_neighbor_search_finds_a_near_copy(tiny_run):
    images, _, _ = open_context(tiny_run).arrays("train", 50)
    neighbors, distances = nearest_images(np.minimum(images[:4], 252) + np.uint8(3), images, 2)
    np.testing.assert_array_equal(neighbors[:, 0], images[:4])
    np.testing.assert_allclose(distances[:, 0], 3, rtol=1e-5)


def test_accuracy_command_reports_classifier_accuracy(tiny_conditional_run, tmp_path, capsys):
    commands.accuracy(TargetOptions(str(tiny_conditional_run), out=str(tmp_path)), count=40)
    out = capsys.readouterr().out
    assert "L=2, weight_y=0.1, unknown steps" in out and "through the top prior alone" in out
    values = numbers(tmp_path, "accuracy_count_40.json")
    assert values["real"] > 0.95 and 0 <= values["samples"] <= 1 and len(values["by_class"]) == 10


def test_damaged_images_are_left_out_as_in_training_or_by_option(tiny_run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    save_pictures(folder, np.zeros([12, 8, 8], np.uint8))
    (folder / "3.png").write_bytes(b"no picture")
    source = f"folder:{folder}"
    context = open_context(TargetOptions(str(tiny_run), data=source, on_damaged="skip"))
    assert sum(len(context.arrays(split)[0]) for split in ("train", "validation", "test")) == 11
    run = Run.create(tmp_path / "run", Run(tiny_run).experiment())
    experiment = run.experiment()
    run.write_config(dataclasses.replace(experiment, data=DataConfig("folder:elsewhere", on_damaged="skip")))
    assert open_context(TargetOptions(str(run.path), data=source)).data.on_damaged == "skip"
    assert open_context(TargetOptions(str(run.path), data=source, on_damaged="stop")).data.on_damaged == "stop"


def test_classifier_sees_all_classes_of_images_that_are_sorted_by_class(tmp_path, monkeypatch):
    labels = np.repeat([0, 1], 20)
    images = np.where(labels, 200, 30).astype(np.uint8)[:, None, None, None] * np.ones([8, 8, 1], np.uint8)
    splits = ("train", "validation", "test")
    arrays = dict.fromkeys(splits, images) | {f"{split}_labels": labels for split in splits}
    np.savez(tmp_path / "images.npz", **arrays)
    model = Glow(ModelConfig((8, 8, 1), levels=1, depth=1, width=4, classes=2))
    data = DataConfig(f"npz:{tmp_path / 'images.npz'}", labels=True)
    context = EvaluationContext(tmp_path, data, None, tmp_path, file_model=model)
    monkeypatch.setattr(accuracy, "MAX_TRAINING_IMAGES", 10)
    monkeypatch.setattr(accuracy, "MAX_TEST_IMAGES", 10)
    assert accuracy.measure_accuracy(context, count=2).real == 1.0


@pytest.mark.parametrize("exclusive", [True, False])
def test_evaluation_classifier_learns_tags_and_classes(exclusive):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (200, 64, 64, 1), np.uint8)
    bright = rng.random(200) < 0.5
    images[bright, :32] += 100
    tags = np.stack([bright, ~bright if exclusive else rng.random(200) < 0.5], 1)
    classifier = SampleClassifier(images[:100], tags[:100])
    assert classifier.exclusive == exclusive
    assert (classifier.predict(images[100:])[:, 0] == bright[100:]).all()


def test_evaluation_in_chunks_matches_one_batch(tiny_conditional_run, monkeypatch):
    context = open_context(tiny_conditional_run)
    model, (images, labels, _) = context.model, context.arrays("test", 5)
    whole = model.sample(5, 0.7, labels, seed=3).numpy()
    monkeypatch.setattr(batched, "CHUNK_PIXELS", 2 * 64)
    assert batched.chunk_size(model) == 2
    np.testing.assert_array_equal(batched.sample(model, 5, 0.7, labels, seed=3), whole)
    np.testing.assert_array_equal(batched.decode(model, batched.encode(model, images, labels), labels), images)


def test_progress_bar_appears_on_a_terminal_only(monkeypatch):
    for terminal in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda terminal=terminal: terminal
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_bar(3, "sampling") as bar:
            bar.update(3)
        assert ("sampling" in stream.getvalue()) == terminal


def test_bits_command_reads_a_keras_file(tiny_run, tmp_path, capsys):
    path = tmp_path / "model.keras"
    open_context(tiny_run).model.save(path)
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
def test_evaluation_rejects_runs_and_data_that_do_not_fit(tiny_run, tiny_conditional_run, tmp_path):
    run, conditional = TargetOptions(str(tiny_run)), TargetOptions(str(tiny_conditional_run))
    with pytest.raises(ConfigError, match="unconditional"):
        commands.accuracy(run)
    with pytest.raises(ConfigError, match="needs an unconditional model"):
        commands.compare(conditional, against="bundled:mnist")
    with pytest.raises(RunError, match="is not a run folder"):
        commands.bits(TargetOptions(str(tmp_path)))
    with pytest.raises(DataError, match="an image is 28x28, the model takes 8x8"):
        commands.bits(TargetOptions(str(tiny_run), "bundled:mnist"))
    commands.bits(TargetOptions(str(tiny_run), "bundled:mnist", fit="resize", out=str(tmp_path)), draws=1, limit=2)
    np.savez(tmp_path / "images.npz", images=np.zeros((40, 8, 8, 1), np.uint8))
    with pytest.raises(GlowError, match="no labels|no classes|labels are wanted"):
        commands.samples(TargetOptions(str(tiny_conditional_run), f"npz:{tmp_path / 'images.npz'}"))
    np.savez(tmp_path / "three.npz", images=np.zeros((40, 8, 8, 1), np.uint8), labels=np.arange(40) % 3)
    with pytest.raises(DataError, match="has 3 classes, the model is conditional on 10"):
        commands.report(TargetOptions(str(tiny_conditional_run), f"npz:{tmp_path / 'three.npz'}"))


def test_evaluation_falls_back_to_the_validation_split(tiny_run, tmp_path, capsys):
    images = np.zeros((20, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "images.npz", train=images, validation=images)
    commands.bits(TargetOptions(str(tiny_run), f"npz:{tmp_path / 'images.npz'}", out=str(tmp_path)), draws=1)
    out = capsys.readouterr().out
    assert "validation images (there is no test split)" in out
    assert "unknown" in out and "nan" not in out, "one draw has no standard error"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("report", {"draws": 0}, "--draws: expected 1 to 100,000, got 0"),
        ("bits", {"limit": 0}, "--limit: expected 1 to 1,000,000,000, got 0"),
        ("bits", {"batch_size": -1}, "--batch-size"),
        ("samples", {"columns": -3}, "--columns"),
        ("samples", {"temperatures": ()}, "--temperatures: expected something, got \\(\\)"),
        ("samples", {"temperatures": (0.7, math.nan)}, "--temperatures: expected a finite number"),
        ("reconstruct", {"shown": 0}, "--shown"),
        ("reconstruct", {"label": 3}, "--label: the model is unconditional"),
        ("reconstruct", {"temperature": -1.0}, "--temperature"),
        ("interpolate", {"steps": 1}, "--steps: expected 2 to 1,000"),
        ("interpolate", {"pairs": 0}, "--pairs"),
        ("attributes", {"limit": 0}, "--limit"),
        ("attributes", {"strengths": (math.inf,)}, "--strengths"),
        ("attributes", {"names": ("smile",)}, "--names: expected some of 0, 1, .*got 'smile'"),
        ("attributes", {"load": "a.npz", "folders": ("a", "b")}, "not both"),
        ("compare", {"against": "bundled:mnist", "limit": 0}, "--limit"),
        ("encode", {"limit": -5}, "--limit"),
        ("accuracy", {"count": 0}, "--count"),
        ("frechet", {"count": 127}, "--count: expected 128 to"),
        ("frechet", {"temperature": math.nan}, "--temperature"),
    ],
)
def test_invalid_evaluation_options_write_nothing(tiny_run, tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        commands.COMMANDS[name](TargetOptions(str(tiny_run), out=str(tmp_path / "out")), **options)
    assert not (tmp_path / "out").exists()


def test_missing_attribute_folder_or_own_image_writes_nothing(tiny_run, tmp_path):
    target = TargetOptions(str(tiny_run), out=str(tmp_path / "out"))
    with pytest.raises(DataError, match="there is no folder nowhere"):
        commands.attributes(target, folders=("nowhere", "nothing"))
    with pytest.raises(DataError, match="nowhere.png cannot be read as an image"):
        commands.attributes(target, images=("nowhere.png",), limit=20)
    assert not (tmp_path / "out").exists()


def test_old_names_of_a_command_and_options_warn_and_work(tiny_run, tmp_path, capsys):
    with pytest.warns(UserWarning, match="--average is now --ema"):
        evaluate.main(["bits", str(tiny_run), "--average", "--draws", "1", "--limit", "4", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "bits_draws_1_limit_4.json").read_text())["weights"] == "EMA weights"
    words = ["reconstruct", str(tiny_run), "--images", "2", "--out", str(tmp_path), "--format", "pdf", "--scale", "2"]
    with pytest.warns(UserWarning, match="--images is now --shown"):
        evaluate.main(words)
    assert (tmp_path / "reconstructions_shown_2_scale_2.pdf").is_file()
    with pytest.warns(UserWarning, match="judge is now accuracy"), pytest.raises(SystemExit) as end:
        evaluate.main(["judge", "--help"])
    assert end.value.code == 0 and f"{evaluate.NAME} accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_every_evaluation_command(name, capsys):
    with pytest.raises(SystemExit) as end:
        evaluate.main([name, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and "--data" in text and "RUN" in text
    assert "{None}" not in text.split("options")[0]
