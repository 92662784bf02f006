"""Test that the examples in docstrings run, and that every public name has one."""

import doctest
import importlib
import inspect
import pathlib

import pytest

import glow_tf

ROOT = pathlib.Path(glow_tf.__file__).parent

MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text()
)
"""Modules with an example in a docstring."""

SLOW = {"glow_tf.export.saved_model", "glow_tf.likelihood_model", "glow_tf.model", "glow_tf.training.api"}
"""Modules whose examples export or train."""

WITHOUT_EXAMPLE = {"datasets", "optimizers", "presets"}
"""Public names that are modules."""


@pytest.mark.parametrize("module", [pytest.param(m, marks=pytest.mark.slow if m in SLOW else ()) for m in MODULES])
def test_examples_of_docstrings_run(module, tmp_path, monkeypatch):
    if module.startswith("glow_tf.demo"):
        pytest.importorskip("fastapi", reason="the page's extra: pip install 'glow_tf[demo]'")
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", sorted(set(glow_tf.__all__) - WITHOUT_EXAMPLE))
def test_public_name_has_an_example(name):
    assert ">>>" in (inspect.getdoc(getattr(glow_tf, name)) or "")
