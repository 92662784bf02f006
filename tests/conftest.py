"""Small trained-looking runs that several tests share."""

import gc

import pytest
import runs_for_tests
import tensorflow as tf


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A run folder of a small unconditional model of digits; do not write into it."""
    return runs_for_tests.make(tmp_path_factory.mktemp("tiny") / "run")


@pytest.fixture(scope="session")
def tiny_conditional_run(tmp_path_factory):
    """The same with labels and a classifier."""
    return runs_for_tests.make(tmp_path_factory.mktemp("tiny") / "run", classes=10)


@pytest.fixture(autouse=True)
def free_memory(request):
    """Full-size models and their graphs are freed after a slow test: they lie in cycles, which Python leaves alone."""
    yield
    if request.node.get_closest_marker("slow"):
        gc.collect()


@pytest.fixture(autouse=True)
def tensorflow_as_it_was():
    """Commands set TensorFlow's own state for their process; a test that calls one leaves the others' as it was."""
    yield
    if tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    tf.config.experimental.enable_tensor_float_32_execution(True)
