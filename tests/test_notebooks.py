"""Test the notebooks: every one runs, uses public names only, and is stored with small outputs of its own code."""

import base64
import io
import json
import re

import matplotlib.pyplot as plt
import pytest

from experiments import notebooks
from glow_tf.data import faces
from helpers.guides import ROOT, linked_files
from helpers.public_names import internal_names

NAMES = [path.stem for path in notebooks.PATHS]
FACES = {"train": 100, "test": 100}
"""Faces of each split that are drawn in the tests; drawing all takes a minute."""
SHORTER = {
    "anomaly_scores": [
        ("digits = digits[:200]", "digits = digits[:100]"),
        ("mnist[::25]", "mnist[::50]"),
        ("as_bytes(small)[:200]", "as_bytes(small)[:100]"),
        ("noise(200, shape)", "noise(100, shape)"),
        ("levels=3, depth=3, width=48", "levels=1, depth=1, width=16"),
        ("training[: 32 * 300]", "training[: 32 * 30]"),
    ],
    "faces": [("np.split(train_images, 10)", "np.split(train_images, 1)")],
    "your_own_images": [
        ("range(100)", "range(40)"),
        ("depth=3, width=48", "levels=1, depth=1, width=16"),
        ("epoch_steps=60, epochs=4", "epoch_steps=30, epochs=2"),
    ],
    "density_in_the_plane": [
        ("make_moons(20_000", "make_moons(2_000"),
        ("for step in range(8)", "for step in range(2)"),
        ("STEPS, BATCH = 1500, 256", "STEPS, BATCH = 100, 256"),
        ("(1, 4, 8, 16)", "(1, 4)"),
        ("-1.6, 2.6, 280", "-1.6, 2.6, 70"),
        ("-1.1, 1.6, 180", "-1.1, 1.6, 45"),
        ("-4, 5, 901", "-4, 5, 301"),
    ],
}
"""What makes the work of notebooks shorter in the tests; the stored outputs are of the whole one."""
MAX_BYTES, MAX_PICTURE_BYTES = 256_000, 120_000
MAGIC = re.compile(r"^( *)%.*$", re.MULTILINE)
"""A command of IPython, which is no Python."""
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|Users|root|tmp|dev/shm|var|work|opt|mnt|usr|private)/")
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


IN_A_KERNEL = "density_in_the_plane"
"""The notebook that runs as a user's does, in a process of its own."""


@pytest.mark.slow
def test_notebook_runs_in_a_kernel(tmp_path):
    pytest.importorskip("nbclient", reason="the extra dev is not installed: pip install 'glow_tf[dev]'")
    pytest.importorskip("ipykernel", reason="the extra dev is not installed: pip install 'glow_tf[dev]'")
    path = ROOT / "notebooks" / f"{IN_A_KERNEL}.ipynb"
    notebook = notebooks.execute(notebooks.prepare(path, tmp_path, SHORTER[IN_A_KERNEL]))
    notebooks.clean(notebook)
    assert not faults(notebook) and pictures(notebook)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != IN_A_KERNEL])
def test_cells_of_notebook_run(name, tmp_path, monkeypatch, capsys):
    """Run them in this process, which has imported TensorFlow, and draw every figure."""
    monkeypatch.setattr(faces, "COUNTS", FACES)
    monkeypatch.setattr(plt, "show", draw_figures)
    plt.switch_backend("agg")
    path = notebooks.prepare(ROOT / "notebooks" / f"{name}.ipynb", tmp_path, SHORTER.get(name, ()))
    monkeypatch.chdir(path.parent)
    names = {"__name__": "__main__"}
    for number, cell in enumerate(notebooks.code_cells(notebooks.read(path))):
        exec(compile(MAGIC.sub(r"\1pass", cell["source"]), f"{path.name}, cell {number}", "exec"), names)
    printed = capsys.readouterr().out
    assert printed and not MACHINE.search(printed)


def draw_figures():
    """Draw the open figures, as `show` does in a notebook, and close them."""
    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO())
    plt.close("all")
