"""Distribute the tests over processes, provide small runs that several tests share, and reset TensorFlow between tests.

Nothing here imports TensorFlow at the top: the process that distributes the tests then starts at once.
"""

import atexit
import collections
import gc
import glob
import os
import resource
import shutil
import signal

import pytest

# XLA compiles small graphs for a CPU in a third of the time if it does not optimize the machine code; the graphs stay
# the same. For a GPU it compiles as it does for a user, and so do processes that tests start
# (`helpers.commands.environment`).
XLA_FLAGS = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1" or not glob.glob("/dev/nvidia[0-9]*"):
    os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)

# Several processes share a GPU; by default TensorFlow takes all of its memory for the first.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

pytest.register_assert_rewrite("helpers")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell: the processes that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:
    # Python would free a million objects one by one, for seconds. What is registered first runs last.
    atexit.register(os._exit, 0)

MEMORY_DISK, ROOM = "/dev/shm", 4 * 2**30

if os.access(MEMORY_DISK, os.W_OK) and shutil.disk_usage(MEMORY_DISK).free > ROOM:
    # A write to a disk that is busy stops a test for seconds.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY_DISK)

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


PAGE = "tests/demo/page"
"""Folder whose tests share a server and a browser, so that one process runs them all."""


def unit_of(nodeid):
    """Return the file of a test, or `PAGE`: what is given to a process as a whole."""
    return PAGE if nodeid.startswith(f"{PAGE}/") else nodeid.split("::")[0]


def pytest_xdist_make_scheduler(config, log):
    """Return xdist's scheduler of `--dist loadfile`, with `unit_of` for the file."""
    from xdist.scheduler import LoadFileScheduling

    class UnitScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return unit_of(nodeid)

    return UnitScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


SECONDS = {
    "test_bijector_updates.py": 9,
    "test_import.py": 9,
    "test_attributes.py": 7,
    "test_frozen_graph.py": 6,
    "test_trainer.py": 6,
    "test_course.py": 5,
    "test_saved_model.py": 5,
    "test_bijector_in_tfp.py": 4,
}
"""Core seconds that the quick tests of long files with few tests took on two cores; elsewhere a quick test counts 0.1,
and a slow one 10."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Order the units of tests by their work: a long one that began last would be waited for.

    It runs last, when the tests that `-m` and `-k` deselect are gone.
    """
    work = collections.Counter()
    for item in items:
        work[unit_of(item.nodeid)] += 10 if item.get_closest_marker("slow") else 0.1
    items.sort(key=lambda item: -max(work[unit_of(item.nodeid)], SECONDS.get(item.path.name, 0)))


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory):
    """Keep caches of decoded images out of the user's folders."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def devices_in_use():
    """Start TensorFlow's devices, without TF32, which on a GPU would round the factors of products to 11 bits.

    A test that trains on the CPU hides GPUs that are not in use from all later tests of its process.
    """
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.list_logical_devices()


def pytest_collection_finish():
    """Exclude what was imported, half a million objects, from garbage collection, which took half a second a time."""
    gc.collect()
    gc.freeze()
    # By default Python collects after every 700 new objects, and tracing a graph makes hundreds of thousands.
    gc.set_threshold(100_000, 20, 20)


def pytest_sessionfinish():
    """Exclude what the tests have left from garbage collection: pytest collects five times at the end, for seconds."""
    gc.freeze()


shared_runs = {}
"""The runs that several tests share, with the time of the last change of each file."""


def share(run):
    """Register a run folder, into which tests must not write, and return it."""
    shared_runs[run] = times_of_files(run)
    return run


def times_of_files(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """Make a run folder of a small unconditional model of digits."""
    from helpers.tiny_runs import make_run

    return share(make_run(tmp_path_factory.mktemp("tiny") / "run"))


@pytest.fixture(scope="session")
def one_level_run(tmp_path_factory):
    """Make a run folder of a smaller model of digits, for tests in which the number of levels does not matter."""
    from helpers.tiny_runs import make_run

    return share(make_run(tmp_path_factory.mktemp("tiny") / "run", levels=1))


@pytest.fixture(scope="session")
def tiny_conditional_run(tmp_path_factory):
    """Make a run folder of a small conditional model of digits, with a classifier."""
    from helpers.tiny_runs import make_run

    return share(make_run(tmp_path_factory.mktemp("tiny") / "run", classes=10))


@pytest.fixture(autouse=True)
def shared_runs_stay():
    """Fail a test that writes into a run which others share: they would pass or fail by their order."""
    yield
    changed = [run for run, times in shared_runs.items() if times_of_files(run) != times]
    shared_runs.update((run, times_of_files(run)) for run in changed)  # the next test is not to blame
    assert not changed, "write into a copy, or give the command a folder for its results"


MEMORY_STEP = 512 * 2**20
"""Bytes by which this process may grow before its garbage is collected, which takes some tenths of a second."""
memory_at_collection = 0


@pytest.fixture(autouse=True)
def free_memory():
    """Free the models and graphs of earlier tests once there are many: they lie in cycles, which Python leaves."""
    global memory_at_collection
    yield
    if resident_memory() > memory_at_collection + MEMORY_STEP:
        gc.collect()
        memory_at_collection = resident_memory()


def resident_memory():
    """Return the bytes of memory that this process uses, or at most has used where only Linux knows the first."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


@pytest.fixture(autouse=True)
def set_up_tensorflow(request):
    """Run graphs as they are traced, as a training on a CPU does.

    TensorFlow's graph optimizer takes longer than small graphs run. Tests with the mark `graph_optimizer` run theirs as
    other programs of a user do.
    """
    import tensorflow as tf

    as_traced = not request.node.get_closest_marker("graph_optimizer")
    if tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False) != as_traced:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": as_traced})
