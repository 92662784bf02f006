"""Test the old public names that no other test uses: each works and warns once."""

import importlib
import sys

import pytest

import glow_tf
from glow_tf import attributes, deprecation, distributions, latents, optimizers
from glow_tf.errors import DataError
from glow_tf.runs import Run


@pytest.fixture(autouse=True)
def warn_again(monkeypatch):
    monkeypatch.setattr(deprecation, "_warned", set())


def test_old_module_of_distributions(monkeypatch):
    monkeypatch.delitem(sys.modules, "glow_tf.distribution", raising=False)
    with pytest.warns(DeprecationWarning, match="glow_tf.distribution is now glow_tf.distributions"):
        module = importlib.import_module("glow_tf.distribution")
    assert module.continuous is distributions.continuous and module.DiscreteGlow is distributions.DiscreteGlow


@pytest.mark.parametrize(("module", "name"), [(latents, "LatentsError"), (attributes, "AttributesError")])
def test_old_error_classes(module, name):
    with pytest.warns(DeprecationWarning, match=f"{name} is now .*DataError"):
        assert getattr(module, name) is DataError


@pytest.mark.parametrize("name", ["Adam", "Adamax"])
def test_old_names_of_optimizers(name):
    with pytest.warns(DeprecationWarning, match=f"glow_tf.{name} is now glow_tf.optimizers.{name}"):
        assert getattr(glow_tf, name) is getattr(optimizers, name)


def test_old_names_of_a_run(tiny_run):
    run = Run.open(tiny_run)
    with pytest.warns(DeprecationWarning, match="has_average is now Run.has_ema"):
        assert run.has_average
    with pytest.warns(DeprecationWarning, match="weights_path"):
        assert run.weights_path("last", average=True) == run.weights_path("last", ema=True)
