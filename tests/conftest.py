"""Small trained-looking runs that several tests share."""

import gc

import pytest
import runs_for_tests


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
