"""Test that the sheets in the documentation are what the code makes of their stored images."""

import dataclasses

import numpy as np

from experiments import doc_pictures
from glow_tf.pictures import Sheet


def test_sheets_in_the_documentation_are_current():
    assert doc_pictures.main(["--check"]) == 0


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
