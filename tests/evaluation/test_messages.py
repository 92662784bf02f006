"""Test that the options which messages of the evaluation name are options of the command that gives the message."""

import ast
import functools
import inspect
import pathlib
import re

import pytest

import glow_tf
from glow_tf.evaluation import commands
from glow_tf.evaluation.options import PictureOptions
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.fields import option_name, setting

ROOT = pathlib.Path(glow_tf.__file__).parents[1]


def path_of(module):
    """Return the path of a module of ours, or None."""
    path = ROOT / module.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@functools.cache
def read_module(module):
    """Return `(definitions, imports)` of a module of ours: name -> node, and name -> (module, name in it or None)."""
    tree, definitions, imports = ast.parse(path_of(module).read_text()), {}, {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                definitions.update({part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)})
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("glow_tf"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                imports[alias.asname or alias.name] = (inner, None) if path_of(inner) else (node.module, alias.name)
    return definitions, imports


@functools.cache
def read_definition(module, name):
    """Return `(texts, names)` of a definition: its texts, but docstrings, and the `(module, name)` that it names."""
    if path_of(module) is None:
        return [], []
    definitions, imports = read_module(module)
    texts, names = [], [imports[name]] if name in imports else []
    nodes = list(ast.walk(definitions[name])) if name in definitions else []
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            texts.append(node.value)
        elif isinstance(node, ast.Name):
            names.append((module, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imports:
            names.append((imports[node.value.id][0], node.attr))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == setting.__name__:
            texts.append(setting(node.args[0].value, ""))
    return texts, names


def texts_reached(module, name, seen):
    """Yield the texts of a definition and of all that it names, in whatever module of ours."""
    if (module, name) in seen:
        return
    seen.add((module, name))
    texts, names = read_definition(module, name)
    yield from texts
    for definition in names:
        yield from texts_reached(*definition, seen)


def options_of(command):
    """Return the options of a command."""
    names = set()
    for name, parameter in inspect.signature(command).parameters.items():
        kinds = {"target": TargetOptions, "pictures": PictureOptions}
        names |= set(kinds[name].__dataclass_fields__) if name in kinds else {parameter.name}
    return {option_name(name) for name in names} | {"--help"}


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_options_that_messages_name_exist_in_the_command(name):
    seen = set()
    texts = list(texts_reached(f"glow_tf.evaluation.commands.{name}", name, seen))
    assert ("glow_tf.data.files", "RecordSource") in seen and ("glow_tf.run_files", "require_raw") in seen
    named = {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
    assert {"--fit", "--on-damaged", "--data"} <= named
    assert named <= options_of(commands.COMMANDS[name])
