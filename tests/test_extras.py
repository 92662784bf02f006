"""Test that the library works with its core dependencies alone, and that a missing extra is one sentence."""

import re
import tomllib

import pytest

from glow_tf.errors import MissingPackageError
from glow_tf.extras import PACKAGES, optional_packages
from helpers.commands import ROOT, run_python

METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

WITHOUT_EXTRAS = f"""
import sys

sys.modules.update(dict.fromkeys({sorted(PACKAGES)!r}))  # an import of any of them fails

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


@pytest.mark.slow
def test_library_works_without_any_extra(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(f"import os\nos.chdir({str(tmp_path)!r})\n{WITHOUT_EXTRAS}")
    out, _ = run_python(tmp_path / "program.py", PYTHONPATH=str(ROOT))
    sentences = out.splitlines()
    assert len(sentences) == 2
    assert all(re.fullmatch(r"this needs the package \S+: pip install 'glow_tf\[\w+\]'\.", line) for line in sentences)


def test_every_optional_package_is_in_its_extra():
    for name, extra in PACKAGES.values():
        requirements = METADATA["optional-dependencies"][extra]
        assert any(re.match(rf"{re.escape(name)}\b", requirement) for requirement in requirements), (name, extra)
        assert not any(re.match(rf"{re.escape(name)}\b", requirement) for requirement in METADATA["dependencies"])


def test_other_missing_modules_stay_errors_of_python():
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as error, optional_packages():
        import no_such_module  # noqa: F401
    assert not isinstance(error.value, MissingPackageError)
