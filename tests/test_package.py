"""Test what is published: the source distribution, the wheel built from it, and the wheel in a fresh environment."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile

import pytest
from packaging.requirements import Requirement

import glow_tf
from helpers.commands import environment
from helpers.guides import ROOT

pytest.importorskip("build", reason="builds the package: pip install 'glow_tf[dev]'")
pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LICENSES = {"LICENSE", "THIRD_PARTY_NOTICES.md"}

GENERATED = re.compile(r"PKG-INFO|setup\.cfg|glow_tf\.egg-info/\S+")
"""Files that setuptools adds to the source distribution."""

TRAINING = (
    "--levels 1 --depth 1 --width 8 --batch-size 8 --epoch-steps 2 --epochs 1 --warmup-steps 1 --init-images 8 "
    "--devices cpu"
)

PROGRAM = """
import runpy
import sys

sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code

import glow_tf

assert glow_tf.Glow.from_preset("digits").config == glow_tf.presets.get("digits").model
assert glow_tf.load_model("runs/digits").image_shape == (8, 8, 1)
print(glow_tf.__file__)
"""
"""A program that runs the command in its words, and then uses the library, which spares another import."""


def run(*words, folder, **variables):
    """Run a command in a folder, without this repository on Python's path; return (stdout, stderr)."""
    variables = environment(**variables)
    variables.pop("PYTHONPATH", None)
    done = subprocess.run([*map(str, words)], cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def tracked():
    """Return the names of the tracked files."""
    if not (ROOT / ".git").exists():
        pytest.skip("builds from a clone, which this folder is not")
    return set(subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")) - {""}


@pytest.fixture(scope="module")
def distributions(tracked, tmp_path_factory):
    """Build the source distribution from a copy of the tracked files, and the wheel from it; return both paths."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("distributions")
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy, folder=out)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(distributions):
    """Return the metadata in the wheel."""
    folder = f"glow_tf-{glow_tf.__version__}.dist-info/"
    return importlib.metadata.PathDistribution(zipfile.Path(distributions[1], folder))


def test_source_distribution_holds_the_tracked_files(distributions, tracked):
    with tarfile.open(distributions[0]) as archive:
        names = {member.name.partition("/")[2] for member in archive if not member.isdir()}
    assert {name for name in names if not GENERATED.fullmatch(name)} == tracked


def test_wheel_holds_the_package_and_its_licenses(distributions, tracked):
    with zipfile.ZipFile(distributions[1]) as archive:
        names = set(archive.namelist())
    package = {name for name in names if ".dist-info/" not in name}
    assert package == {name for name in tracked if name.startswith("glow_tf/")}
    data = ("py.typed", "presets/weights/digits.weights.h5", "presets/weights/digits.json", "demo/static/index.html")
    assert {f"glow_tf/{name}" for name in data} <= package
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == LICENSES


def test_no_path_of_this_machine_is_in_the_wheel(distributions):
    paths = [str(path).encode() for path in (ROOT, distributions[0].parent.parent, sys.prefix)]
    with zipfile.ZipFile(distributions[1]) as archive:
        assert not [name for name in archive.namelist() if any(path in archive.read(name) for path in paths)]


def test_metadata(metadata):
    fields = metadata.metadata
    assert metadata.version == glow_tf.__version__
    assert fields["Requires-Python"] == ">=3.11" and fields["License-Expression"] == "MIT"
    assert set(fields.get_all("License-File")) == LICENSES
    assert fields["Description-Content-Type"] == "text/markdown"
    assert not fields.get_all("Project-URL") and not fields["Home-page"]  # there is no address of the project yet
    assert [(entry.name, entry.value) for entry in metadata.entry_points] == [("glow-tf", "glow_tf.cli.main:run")]


def test_versions_of_python_are_those_that_the_workflow_tests(metadata):
    classifiers = metadata.metadata.get_all("Classifier")
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    matrix = re.search(r"python: (\[.*\])", (ROOT / ".github" / "workflows" / "ci.yml").read_text())[1]
    assert versions == re.findall(r"3\.\d+", matrix) and f">={versions[0]}" == metadata.metadata["Requires-Python"]


def test_dependencies_have_ranges_that_hold_what_is_installed(metadata):
    requirements = [Requirement(text) for text in metadata.requires]
    core = {requirement.name: requirement for requirement in requirements if requirement.marker is None}
    assert core.keys() == {"tensorflow", "keras", "tensorflow-probability", "numpy", "scipy"}
    for requirement in core.values():
        assert {part.operator for part in requirement.specifier} == {">=", "<"}, requirement
    outside = []
    for requirement in requirements:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:  # of an extra
            continue
        if not requirement.specifier.contains(version):
            outside.append(f"{requirement}: {version}")
    assert not outside


def test_extras(metadata):
    extras = set(metadata.metadata.get_all("Provides-Extra"))
    assert extras == PROJECT["optional-dependencies"].keys()
    nested = [Requirement(text) for text in metadata.requires if text.startswith("glow_tf")]
    assert all(requirement.extras <= extras for requirement in nested)
    (everything,) = [requirement.extras for requirement in nested if requirement.marker.evaluate({"extra": "all"})]
    assert everything == extras - {"all", "gpu", "docs", "dev"}


@pytest.fixture(scope="module")
def programs(distributions, tmp_path_factory):
    """Install the wheel in a fresh environment that sees the dependencies of this one; return its folder of programs.

    What is in an environment's own `site-packages` is imported rather than what its `.pth` files name, so this project,
    if it is installed in the environment of the tests, is not used.
    """
    fresh = tmp_path_factory.mktemp("fresh")
    venv.create(fresh, symlinks=True)
    python = fresh / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        distributions[1],
        folder=fresh,
    )
    site = next(fresh.glob("lib/python*/site-packages"))
    folders = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (site / "dependencies.pth").write_text("\n".join(folders))
    return python.parent


def test_installed_package_trains_and_is_used_from_an_empty_folder(programs, tmp_path):
    out, err = run(programs / "glow-tf", "--version", folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in err.splitlines()}
    assert out == f"glow-tf {glow_tf.__version__}\n" and "glow_tf" in imported
    assert not imported & {"tensorflow", "keras", "numpy", "tyro"}
    assert "\n  train " in run(programs / "glow-tf", "--help", folder=tmp_path)[0]
    assert (
        "usage: python -m glow_tf.demo" in run(programs / "python", "-m", "glow_tf.demo", "--help", folder=tmp_path)[0]
    )
    assert os.listdir(tmp_path) == []
    words = [programs / "glow-tf", "train", *TRAINING.split()]
    out, err = run(programs / "python", "-c", PROGRAM, *words, folder=tmp_path)
    assert "next: glow-tf evaluate runs/digits" in out and err == ""
    assert out.splitlines()[-1].startswith(str(programs.parent / "lib"))
