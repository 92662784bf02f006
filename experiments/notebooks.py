"""The notebooks in `notebooks/`, executed and saved with their outputs: `python -m experiments.notebooks [NAME ...]`.

What differs between machines is left out of the saved outputs: times, versions and standard error. Each notebook holds
a digest of its code and of the packaged weights that it loads. `--check` executes nothing and exits with 1 if a digest
is not that of today: the outputs are then of other code, or of other weights.
"""

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import base64
import hashlib
import io
import json
import os
import pathlib
import re
import tempfile

from PIL import Image

from experiments.command import Parser
from glow_tf.weights_file import written_digest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGED_WEIGHTS = ROOT / "glow_tf" / "presets" / "weights"
SECONDS = 3600
"""Time that one cell may take on a busy machine."""
READ_FROM_CLONE = ("tests/parity",)
"""Folders of the repository that notebooks read by a relative path."""
RATE = re.compile(r"  [\d,.]+ images/s\b")
"""Speed of a training, in what it prints."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read(path):
    """Return the contents of a notebook as dictionaries, with the source of each cell as one text."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def code_cells(notebook):
    """Return the cells of code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def digest(notebook):
    """Return a digest of the code of a notebook, and of the packaged weights that it names."""
    sources = [cell["source"] for cell in code_cells(notebook)]
    result = hashlib.sha256(json.dumps(sources).encode())
    for preset in sorted(set(re.findall(r'from_preset\("(\w+)"\)', "\n".join(sources)))):
        result.update(str(written_digest(PACKAGED_WEIGHTS / f"{preset}.weights.h5")).encode())
    return result.hexdigest()


def prepare(path, folder, changes=()):
    """Copy a notebook, and link what notebooks read of a clone, into a folder.

    Args:
        path: path of the notebook.
        folder: path of an empty folder.
        changes: pairs `(text, other_text)` to replace in the code of the copy; each text must be there once.

    Returns:
        The path of the copy, in whose folder it must run.
    """
    (folder / "notebooks").mkdir()
    for name in READ_FROM_CLONE:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    notebook, copy = read(path), folder / "notebooks" / path.name
    for text, other_text in changes:
        assert sum(cell["source"].count(text) for cell in code_cells(notebook)) == 1, text
        for cell in code_cells(notebook):
            cell["source"] = cell["source"].replace(text, other_text)
    copy.write_text(json.dumps(notebook))
    return copy


def execute(path, **variables):
    """Run a notebook in its folder, in a kernel, which is a process of its own; return it with its outputs.

    Args:
        path: path of the notebook, which is not changed.
        **variables: environment variables to set.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    options = {"timeout": SECONDS, "startup_timeout": SECONDS, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(notebook, kernel_name=KERNEL["name"], resources=resources, **options)
    client.execute(env=environment(**variables))
    return notebook


def environment(**variables):
    """Return the environment of the kernel: this clone is imported, figures are shown, and the CPU computes."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "XLA_FLAGS")}
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**inherited, "PYTHONPATH": search, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **variables}


def clean(notebook):
    """Remove from an executed notebook what differs between machines, and add the digest."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if output.get("name") == "stdout":
                    output.text = RATE.sub("", output.text)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
    notebook.metadata["glow_tf"] = {"digest": digest(notebook)}


def smaller(png):
    """Return a PNG of the same colors without transparency, compressed well; both as text in base 64."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def is_current(path):
    """Return whether the outputs of a notebook are those of its code and of today's weights."""
    notebook = read(path)
    return notebook["metadata"].get("glow_tf", {}).get("digest") == digest(notebook)


def main(arguments):
    """Execute and save notebooks, or check them; return the exit status."""
    parser = Parser(prog="python -m experiments.notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all if none")
    parser.add_argument("--check", action="store_true", help="only say which notebooks are not current")
    options = parser.parse_args(arguments)
    names = sorted(path.stem for path in PATHS)
    if unknown := sorted({*options.names} - {*names}):
        parser.error(f"NAME: expected some of {', '.join(names)}, got {', '.join(unknown)}.")
    paths = [path for path in PATHS if path.stem in options.names or not options.names]
    if options.check:
        stale = [path for path in paths if not is_current(path)]
        for path in stale:
            print(f"{path.name} has outputs of other code or weights; run python -m experiments.notebooks {path.stem}")
        return int(bool(stale))
    import nbformat

    for path in paths:
        print(path.name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(prepare(path, pathlib.Path(folder)))
        clean(notebook)
        nbformat.write(notebook, path)
    return 0
