"""Test how a command starts Keras and TensorFlow."""

import ast
import importlib
import inspect
import json
import sys

import pytest
import tensorflow as tf

from glow_tf import backend
from glow_tf.cli import lean, main
from glow_tf.cli.command import start_tensorflow
from glow_tf.config import RunOptions
from glow_tf.training import session
from helpers.commands import run_python


def test_another_backend_of_keras_is_refused_in_one_line():
    _, err = run_python("train.py", "--run-dir", "nowhere", code=2, KERAS_BACKEND="jax")
    assert err == (
        "train.py: glow_tf needs Keras with TensorFlow as its backend, but the environment variable KERAS_BACKEND says "
        "jax; set KERAS_BACKEND=tensorflow in the environment before Keras is imported.\n"
    )


def test_backend_of_the_library_is_found_where_keras_finds_it(monkeypatch, tmp_path):
    assert backend.configured_backend() == ("tensorflow", "Keras, which is imported already,")
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    backend.check_backend()
    (tmp_path / "keras.json").write_text("no JSON")
    backend.check_backend()
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    with pytest.raises(ImportError, match="keras.json says torch; set KERAS_BACKEND=tensorflow"):
        backend.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    backend.check_backend()


@pytest.fixture
def tf32():
    """Set TF32 on, TensorFlow's default; give the function that reads it; set it off again for other tests."""
    tf.config.experimental.enable_tensor_float_32_execution(True)
    yield tf.config.experimental.tensor_float_32_execution_enabled
    tf.config.experimental.enable_tensor_float_32_execution(False)


def test_tf32_is_off_in_every_command(tf32):
    start_tensorflow()
    assert not tf32()


def starts_tensorflow_first(function):
    """Return whether a function calls `start_tensorflow`, and imports what needs TensorFlow after it alone."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    starts = [call.lineno for call in calls if getattr(call.func, "id", None) == "start_tensorflow"]
    imports = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
    early = {alias.name for node in imports for alias in node.names if starts and node.lineno < min(starts)}
    return bool(starts) and early <= {"server"}  # the page's, which listens first


@pytest.mark.parametrize("name", [*main.COMMANDS, "starting_experiment"])
def test_command_starts_tensorflow(name):
    module = importlib.import_module(f"glow_tf.cli.{name}")
    functions = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.FunctionDef)]
    assert any(starts_tensorflow_first(function) for function in functions)
    heavy = {"tensorflow", "keras", "tensorflow_probability"}
    assert not heavy & {value.__name__.split(".")[0] for value in vars(module).values() if inspect.ismodule(value)}


@pytest.mark.parametrize("enabled", [False, True])
def test_training_sets_tf32_by_its_option(tf32, enabled):
    session.set_up(RunOptions(tf32=enabled, devices="cpu"))
    assert tf32() is enabled


def test_optional_packages_are_hidden_from_keras_only_while_it_is_imported(monkeypatch):
    monkeypatch.setattr(lean, "PACKAGES", ("colorsys", "json"))
    sys.modules.pop("colorsys", None)
    with lean.hidden_packages():
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is json, "it was imported before"
    importlib.import_module("colorsys")
    sys.modules.pop("colorsys")
    with lean.hidden_packages(False):
        importlib.import_module("colorsys")
