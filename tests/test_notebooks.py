"""Test the notebooks: every one runs, uses public names only, and is stored with small outputs of its own code."""

import base64
import json
import os
import re

import numpy as np
import pytest

from experiments import notebooks
from glow_tf.cache import SWITCH
from glow_tf.data import face_drawings, faces
from helpers.guides import ROOT, linked_files
from helpers.public_names import internal_names

NAMES = [path.stem for path in notebooks.PATHS]
TRAINING_FACES, TEST_FACES = 1000, 200
"""Faces that notebooks read, the first of their splits."""
SHORTER = {
    "anomaly_scores": [("training[: 32 * 300]", "training[: 32 * 100]"), ("depth=3, width=48", "depth=1, width=48")],
    "your_own_images": [("epoch_steps=60", "epoch_steps=20"), ("depth=3, width=48", "depth=1, width=48")],
    "density_in_the_plane": [("STEPS, BATCH = 1500, 256", "STEPS, BATCH = 150, 256"), ("-4, 5, 901", "-4, 5, 301")],
}
"""What makes the trainings of notebooks shorter in the tests; the stored outputs are of the whole ones."""
MAX_BYTES, MAX_PICTURE_BYTES = 256_000, 120_000
MAGIC = re.compile(r"^( *)%.*$", re.MULTILINE)
"""A command of IPython, which is no Python."""
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|Users|root|tmp|var|work|opt|mnt|usr|private)/")
"""The beginning of an absolute path of one machine."""


def python_of(notebook):
    """Return the code of a notebook as Python, without the commands of IPython."""
    return MAGIC.sub(r"\1pass", "\n".join(cell["source"] for cell in notebooks.code_cells(notebook)))


def outputs(notebook):
    return [output for cell in notebooks.code_cells(notebook) for output in cell["outputs"]]


def pictures(notebook):
    """Return the pictures among the outputs, as the bytes of their PNG files."""
    return [base64.b64decode(o["data"]["image/png"]) for o in outputs(notebook) if "image/png" in o.get("data", {})]


def faults(notebook):
    """Return in words what is wrong with the outputs of a notebook that is to be committed."""
    cells = notebooks.code_cells(notebook)
    checks = {
        "is not executed from top to bottom": [c["execution_count"] for c in cells] != [*range(1, len(cells) + 1)],
        "has errors, or standard error": any(
            o["output_type"] == "error" or o.get("name") == "stderr" for o in outputs(notebook)
        ),
        "has no outputs": not outputs(notebook),
        "has a large picture": any(len(picture) > MAX_PICTURE_BYTES for picture in pictures(notebook)),
        "has a path of a machine": MACHINE.search(json.dumps(outputs(notebook))),
        "has metadata of an execution": any(c["metadata"] for c in notebook["cells"])
        or any(output.get("metadata") for output in outputs(notebook))
        or notebook["metadata"].keys() != {"kernelspec", "language_info", "glow_tf"}
        or notebook["metadata"]["language_info"] != {"name": "python"},
    }
    return [fault for fault, is_there in checks.items() if is_there]


@pytest.mark.parametrize("path", notebooks.PATHS, ids=NAMES)
def test_stored_outputs_are_small_and_those_of_the_code(path):
    assert path.stat().st_size <= MAX_BYTES
    assert notebooks.is_current(path), f"run python -m experiments.notebooks {path.stem}"
    assert not faults(notebooks.read(path))


def test_faults_of_stored_outputs_are_found():
    path = notebooks.PATHS[0]
    stream = {"output_type": "stream", "name": "stdout", "text": "read"}
    changes = {
        "is not executed from top to bottom": {"execution_count": 7},
        "has errors, or standard error": {"outputs": [stream | {"name": "stderr"}]},
        "has a path of a machine": {"outputs": [stream | {"text": "read 'file', in /home/me/x"}]},
        "has metadata of an execution": {"metadata": {"execution": {"iopub.execute_input": "2026"}}},
    }
    for fault, change in changes.items():
        notebook = notebooks.read(path)
        notebooks.code_cells(notebook)[0].update(change)
        assert faults(notebook) == [fault]
    notebook = notebooks.read(path)
    notebooks.code_cells(notebook)[0]["source"] += "\n"
    assert notebooks.digest(notebook) != notebook["metadata"]["glow_tf"]["digest"]


@pytest.mark.parametrize("path", notebooks.PATHS, ids=NAMES)
def test_notebook_begins_with_the_installation_and_uses_public_names_only(path):
    notebook, first = notebooks.read(path), notebooks.read(notebooks.PATHS[0])
    texts = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert texts[0].startswith("# ") and "upload the file `glow_tf-*.whl`" in texts[0]
    assert not [file for text in texts for file in linked_files(text) if not (path.parent / file).exists()]
    install = notebooks.code_cells(notebook)[0]["source"]
    assert install == notebooks.code_cells(first)[0]["source"] and '%pip install -q "{package}"' in install
    assert not internal_names(python_of(notebook))


def test_internal_name_is_found():
    cells = [{"cell_type": "code", "source": source} for source in ("%pip install x", "from glow_tf.io import digest")]
    assert internal_names(python_of({"cells": cells})) == {"glow_tf.io.digest"}


def test_page_of_the_documentation_lists_every_notebook():
    page = (ROOT / "docs" / "notebooks.md").read_text()
    assert sorted(re.findall(r"\.\./notebooks/(\w+)\.ipynb", page)) == NAMES


@pytest.fixture(scope="module")
def few_faces(tmp_path_factory):
    """Make a cache of `bundled:faces` whose images are black but for those that notebooks read; give its folder.

    Drawing all takes a minute.
    """
    folder, start, draw = tmp_path_factory.mktemp("faces"), faces.COUNTS["train"], faces.draw

    def draw_few(count):
        images = np.zeros([count, face_drawings.SIZE, face_drawings.SIZE, 3], np.uint8)
        images[:TRAINING_FACES] = draw(TRAINING_FACES)
        features, paint = face_drawings.list_features(start + TEST_FACES)[start:], face_drawings.Painter()
        images[start : start + TEST_FACES] = [paint(face) for face in features]
        return images

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "draw", draw_few)
        patch.setenv(SWITCH, str(folder))
        faces.cached_images(sum(faces.COUNTS.values()), faces.SMALL_SIZE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", notebooks.PATHS, ids=NAMES)
def test_notebook_runs(path, few_faces, tmp_path):
    pytest.importorskip("nbclient", reason="the extra dev is not installed: pip install 'glow_tf[dev]'")
    pytest.importorskip("ipykernel", reason="the extra dev is not installed: pip install 'glow_tf[dev]'")
    # Compiled as in the process of the tests, see `conftest.py`.
    variables = {SWITCH: str(few_faces), "XLA_FLAGS": os.environ["XLA_FLAGS"]}
    notebook = notebooks.execute(path, tmp_path, SHORTER.get(path.stem, ()), **variables)
    notebooks.clean(notebook)
    assert not faults(notebook)
