"""Test who imports whom: every import runs downward, lazy ones included."""

import ast
import pathlib

import pytest

import glow_tf

ROOT = pathlib.Path(glow_tf.__file__).parent

TIERS = [
    {"errors", "deprecation", "tables", "gpu_files", "backend", "cli.start", "cli.lean", "cli.quiet"},
    {"io", "folders", "locks", "metrics_table", "weights_file", "array_files"},
    {"random", "gpus", "fields", "config", "bijector", "labels", "arguments"},
    {"quantization", "layers", "presets"},
    {"distributions", "likelihood_model", "summary"},
    {"model", "distribution"},
    {"runs", "latents", "interpolation", "pictures", "animation", "data"},
    {"attributes", "batched", "export", "training"},
    {"convert", "evaluation", "openai"},
    {"demo"},
    {"cli"},
]
"""Modules by tier, the lowest first; a module imports modules of its own tier or below."""

WITHOUT_TENSORFLOW = (
    *("errors", "backend", "gpu_files", "deprecation", "tables", "io", "folders", "locks", "metrics_table"),
    *("weights_file", "array_files", "fields", "config", "cli.start", "cli.lean", "cli.quiet"),
)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def imports(path):
    """Return the modules that a file imports, at its top or inside a function; of ours without `glow_tf.`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner.removeprefix("glow_tf.") in MODULES else node.module)
    return {name.removeprefix("glow_tf.") for name in names}


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
    assert upward == ["export -> cli.export"], "which its last lines run for `python -m glow_tf.export`"


def test_no_import_cycle():
    graph = {module: {n for n in names & MODULES.keys() if n} for module, names in IMPORTS.items()}
    graph["export"].remove("cli.export")
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
