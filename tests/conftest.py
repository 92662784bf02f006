"""Distribute the tests over processes, provide small runs that several tests share, and reset TensorFlow between tests.

Nothing here imports TensorFlow at the top: the process that distributes the tests then starts at once.
"""

import gc
import os
import signal

import pytest

# XLA compiles small graphs in a third of the time if it does not optimize the machine code; the graphs stay the same.
# Processes that tests start compile as a user's do (`helpers.commands.environment`).
XLA_FLAGS = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)

pytest.register_assert_rewrite("helpers")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell: the processes that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

GIGABYTES_PER_WORKER = 6
MAX_WORKERS = 4


def pytest_xdist_auto_num_workers(config):
    """Return the number of processes for `-n auto`: one per core that memory allows; a single file needs none."""
    files = {str(argument).split("::")[0] for argument in config.args}
    if len(files) == 1 and files.pop().endswith(".py"):
        return 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = min(cores, memory // (GIGABYTES_PER_WORKER * 2**30), MAX_WORKERS)
    return workers if workers > 1 else 0


SECONDS = {"test_import.py": 9, "test_cache.py": 9, "test_attributes.py": 6, "test_course.py": 6}
"""Core seconds that the quick tests of long files with few tests took on two cores; elsewhere a quick test counts 0.1,
and a slow one 10."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Order the files, which are distributed whole, by their work: a long one that began last would be waited for.

    It runs last, when the tests that `-m` and `-k` deselect are gone.
    """
    work = {}
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        work[item.path] = work.get(item.path, 0) + (10 if slow else 0.1)
    items.sort(key=lambda item: -max(work[item.path], SECONDS.get(item.path.name, 0)))


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory):
    """Keep caches of decoded images out of the user's folders."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def pytest_collection_finish():
    """Exclude what was imported, half a million objects, from garbage collection, which took half a second each time.

    `free_memory` collects after every slow test.
    """
    gc.collect()
    gc.freeze()
    # By default Python collects after every 700 new objects, and tracing a graph makes hundreds of thousands.
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """Make a run folder of a small unconditional model of digits; tests must not write into it."""
    from helpers.tiny_runs import make_run

    return make_run(tmp_path_factory.mktemp("tiny") / "run")


@pytest.fixture(scope="session")
def tiny_conditional_run(tmp_path_factory):
    """Make a run folder of a small conditional model of digits, with a classifier."""
    from helpers.tiny_runs import make_run

    return make_run(tmp_path_factory.mktemp("tiny") / "run", classes=10)


@pytest.fixture(autouse=True)
def free_memory(request):
    """Free full-size models and their graphs after a slow test: they lie in cycles, which Python leaves alone."""
    yield
    if request.node.get_closest_marker("slow"):
        gc.collect()


@pytest.fixture(autouse=True)
def reset_tensorflow():
    """Undo what commands set of TensorFlow's state for their process."""
    import tensorflow as tf

    yield
    if tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    tf.config.experimental.enable_tensor_float_32_execution(True)
