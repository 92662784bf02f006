"""Test the structure of the library's code: who imports whom (every import runs downward, lazy ones included)."""

import ast
import pathlib
import sys

import pytest

import glow_tf
from glow_tf.extras import PACKAGES

ROOT = pathlib.Path(glow_tf.__file__).parent

TIERS = [
    {
        "errors",
        "extras",
        "log_lines",
        "deprecation",
        "tables",
        "counts",
        "celeba",
        "types",
        "gpu_files",
        "backend",
        "cli.start",
        "cli.lean",
        "cli.quiet",
    },
    {"io", "folders", "leftovers", "locks", "cache", "metrics_table", "weights_file", "array_files"},
    {
        "random",
        "autograph",
        "gpus",
        "fields",
        "config",
        "labels",
        "arguments",
        "accumulation",
        "event_shapes",
        "bijector_cache",
        "tracked_weights",
    },
    {"bijector", "quantization", "layers", "presets", "experiment_file", "run_files"},
    {"optimizers", "training.optimizers", "training.fused_update", "training.update_operations", "training.schedule"},
    {
        "bijectors",
        "distributions",
        "likelihood_model",
        "likelihood_training",
        "model_files",
        "sealed_weights",
        "summary",
    },
    {"model", "image_flow", "tfp_adapters", "distribution"},
    {"overshoot", "runs", "latents", "interpolation", "data"},
    {"pictures", "animation"},
    {"attributes", "batched", "edits", "datasets", "export", "training"},
    {"convert", "evaluation", "openai"},
    {"demo", "public"},
    {"cli", "__main__"},
]
"""Modules by tier, the lowest first; a module imports modules of its own tier or below.

The tier of a package is that of its modules which have none of their own.
"""


WITHOUT_TENSORFLOW = (
    *("errors", "backend", "gpu_files", "deprecation", "tables", "counts", "celeba", "io", "folders"),
    *("leftovers", "locks", "cache", "metrics_table"),
    *("weights_file", "array_files", "fields", "config", "presets", "experiment_file", "run_files"),
    *("extras", "log_lines", "cli.start", "cli.lean", "cli.quiet", "cli.parsing"),
)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def run_time_nodes(tree):
    """Yield the nodes of a syntax tree without those under `if TYPE_CHECKING:`, which Python never runs."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")):
            yield node
            yield from run_time_nodes(node)


def imports(path):
    """Return the modules that a file imports, at its top or inside a function; of ours without `glow_tf.`."""
    names = set()
    for node in run_time_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                outer = "glow_tf.public" if node.module == "glow_tf" else node.module  # which has the public names
                names.add(inner if inner.removeprefix("glow_tf.") in MODULES else outer)
    ours = {name.removeprefix("glow_tf.") for name in names if name.startswith("glow_tf.")}
    return ours | (names - MODULES.keys())  # Python has modules of the names of ours, such as `types` and `io`


IMPORTS = {name: imports(path) for name, path in MODULES.items()}


def tier(module):
    for number, modules in enumerate(TIERS):
        if any(module == name or module.startswith(f"{name}.") for name in modules):
            return number
    raise AssertionError(f"{module} has no tier")


def test_every_import_runs_downward():
    upward = [
        f"{module} -> {name}"
        for module, names in IMPORTS.items()
        for name in names & MODULES.keys()
        # A `__main__.py` is a script.
        if module and name and not module.endswith(".__main__") and tier(name) > tier(module)
    ]
    assert not upward


CORE = {"tensorflow", "keras", "tensorflow_probability", "numpy", "scipy", "h5py"}
"""What is installed with the library; Keras requires h5py."""


def test_every_package_that_is_imported_is_installed_with_the_library_or_an_extra_of_it():
    packages = {
        name.split(".")[0]
        for names in IMPORTS.values()
        for name in names
        if name.removeprefix("glow_tf.") not in MODULES
    }
    missing = packages - sys.stdlib_module_names - CORE - PACKAGES.keys() - {"glow_tf"}
    assert not missing, "name them in `extras.PACKAGES`, or a missing one ends in a traceback"


def test_no_import_cycle():
    graph = {module: {n for n in names & MODULES.keys() if n} for module, names in IMPORTS.items()}
    finished = set()

    def visit(module, path):
        assert module not in path, f"cycle: {' -> '.join([*path, module])}"
        if module not in finished:
            for name in graph[module]:
                visit(name, [*path, module])
            finished.add(module)

    for module in graph:
        if module:
            visit(module, [])


@pytest.mark.parametrize("module", WITHOUT_TENSORFLOW)
def test_basic_modules_import_no_tensorflow(module):
    reached, queue = set(), [module]
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue += IMPORTS.get(name, ())
    assert not {name.split(".")[0] for name in reached} & {"tensorflow", "keras", "tensorflow_probability"}


def test_no_data_class_compares_arrays():
    """`==` of two arrays has no truth value, so a data class with arrays must not define it field by field."""
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", ()) if "dataclass" in ast.unparse(d)]
            if isinstance(node, ast.ClassDef) and decorators and "eq=False" not in decorators[0]:
                types = [ast.unparse(field.annotation) for field in node.body if isinstance(field, ast.AnnAssign)]
                assert not [t for t in types if "ndarray" in t or "Images" in t], f"{path}: {node.name}"
