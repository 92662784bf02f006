"""Test that another program can use the library with its core dependencies alone, that its import changes nothing
there, and that a missing extra is one sentence."""

import os
import re
import tomllib

import pytest

from glow_tf import extras
from glow_tf.errors import MissingPackageError
from glow_tf.extras import PACKAGES, optional_packages
from helpers.commands import ROOT, run_python

METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORT = f"""
import os
import sys

sys.modules.update(dict.fromkeys({sorted(PACKAGES)!r}))  # an import of any of them fails

import keras
import tensorflow


class Writer:
    '''Write to file descriptor 2 while glow_tf is imported, as TensorFlow does.'''

    def find_spec(self, name, path=None, target=None):
        if name == "glow_tf.model":
            os.write(2, b"written during the import")


before = dict(os.environ)
sys.meta_path.insert(0, Writer())
import glow_tf

names = before.keys() | os.environ.keys()
print("changed:", sorted(name for name in names if before.get(name) != os.environ.get(name)))
"""
"""The `__init__` of a package that imports glow_tf. Keras and TensorFlow, which set variables, come first."""

USE = """
import numpy as np
import tensorflow as tf

import glow_tf
import glow_tf.convert.openai_glow
from glow_tf import bijectors
from glow_tf.errors import MissingPackageError

glow = glow_tf.Glow(glow_tf.ModelConfig(image_shape=(4, 4, 1), bits=4, levels=1, depth=1, width=4))
images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
glow.initialize(images)
glow.compile(glow_tf.optimizers.Adamax(1e-3))
glow.fit(images, verbose=0)
assert np.array_equal(glow.decode(glow.encode(images)), glow_tf.quantize(images, 4))
assert glow.distribution().sample(2, seed=0).shape == (2, 4, 4, 1)
assert bijectors.ActNorm(event_shape=[4, 4, 1]).forward(tf.zeros([1, 4, 4, 1])).shape == (1, 4, 4, 1)
glow.save("a.keras")
glow_tf.load_model("a.keras")
glow_tf.export_model(glow, "exported")
for use in (glow_tf.datasets.digits, lambda: glow_tf.train("digits")):
    try:
        use()
    except MissingPackageError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def other_program(tmp_path_factory):
    """Run a package that imports and uses glow_tf where no extra is installed; return (stdout, stderr)."""
    folder = tmp_path_factory.mktemp("other")
    package = folder / "other_program"
    package.mkdir()
    (package / "__init__.py").write_text(IMPORT)
    (package / "__main__.py").write_text(f"import os\nos.chdir({str(folder)!r})\n{USE}")
    return run_python("-m", "other_program", PYTHONPATH=os.pathsep.join([str(ROOT), str(folder)]))


@pytest.mark.slow
def test_import_in_another_program_hides_no_message_and_sets_no_variable(other_program):
    out, err = other_program
    assert "written during the import" in err
    assert out.splitlines()[0] == "changed: []"


@pytest.mark.slow
def test_library_works_without_any_extra(other_program):
    sentences = other_program[0].splitlines()[1:]
    assert len(sentences) == 2
    assert all(
        re.fullmatch(rf"this needs the package \S+: pip install '{re.escape(str(ROOT))}\[\w+\]'\.", line)
        for line in sentences
    )


@pytest.mark.parametrize(
    ("is_clone", "folder", "command"),
    [
        (True, "clone", "pip install '.[demo]'"),
        (True, ".", "pip install '{path}/clone[demo]'"),
        (False, "clone", "pip install 'glow_tf[demo]'"),
    ],
)
def test_extra_is_installed_from_the_clone_that_the_code_is_in(is_clone, folder, command, tmp_path, monkeypatch):
    (tmp_path / "clone" / "glow_tf").mkdir(parents=True)
    if is_clone:
        (tmp_path / "clone" / "pyproject.toml").touch()
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "clone" / "glow_tf" / "extras.py"))
    monkeypatch.chdir(tmp_path / folder)
    assert extras.install_command("demo") == command.format(path=tmp_path)


def test_every_optional_package_is_in_its_extra():
    for name, extra in PACKAGES.values():
        requirements = METADATA["optional-dependencies"][extra]
        assert any(re.match(rf"{re.escape(name)}\b", requirement) for requirement in requirements), (name, extra)
        assert not any(re.match(rf"{re.escape(name)}\b", requirement) for requirement in METADATA["dependencies"])


def test_other_missing_modules_stay_errors_of_python():
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as error, optional_packages():
        import no_such_module  # noqa: F401
    assert not isinstance(error.value, MissingPackageError)
