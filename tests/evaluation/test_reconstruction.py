"""Test reconstructions, the images that are reconstructed, and the latents that `encode` writes."""

import html
import re
import types

import numpy as np

from glow_tf.evaluation import commands, reconstruction
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.examples import choose_examples, spread_over_classes
from glow_tf.evaluation.options import PictureOptions
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.latents import load_latents
from helpers.commands import numbers


def texts(path):
    """Return the texts of an SVG."""
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())]


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
