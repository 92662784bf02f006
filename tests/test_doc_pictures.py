"""Test that the sheets in the documentation are what the code makes of their stored images."""

import dataclasses

import numpy as np
from PIL import Image

from experiments import demo_pictures, doc_pictures
from glow_tf.pictures import Sheet


def test_sheets_in_the_documentation_are_current():
    assert doc_pictures.main(["--check"]) == 0


def test_screenshots_of_the_page_are_of_the_packaged_weights(tmp_path):
    paths = sorted(demo_pictures.PICTURES.glob("demo_*.png"))
    assert [path.stem for path in paths] == sorted(f"demo_{tab}" for tab in demo_pictures.TABS)
    stale = [path.name for path in paths if not demo_pictures.is_current(path)]
    assert not stale, "take them anew: python -m experiments.demo_pictures"
    Image.new("RGB", demo_pictures.SIZES["desktop"]).save(tmp_path / "a.png")
    assert not demo_pictures.is_current(tmp_path / "a.png")


def test_sheet_that_is_not_current_is_found(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    sheet, path = Sheet([("temperature 0.7", images)], "Samples", "seed 0"), tmp_path / "a.png"
    assert doc_pictures.difference(path, sheet) == "is missing"
    doc_pictures.write(path, sheet)
    assert doc_pictures.difference(path, sheet) is None
    changed = images.copy()
    changed[2, 7, 7] ^= 1
    reasons = {
        "has other images": {"rows": [("temperature 0.7", changed)]},
        "has other texts": {"subtitle": "seed 1"},
        "is 380x124, and would be 380x192": {"rows": [("temperature 0.7", images)] * 2},
    }
    for reason, change in reasons.items():
        assert doc_pictures.difference(path, dataclasses.replace(sheet, **change)) == reason
