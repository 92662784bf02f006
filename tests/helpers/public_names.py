"""The public names of glow_tf, as the API reference has them, and those that a piece of Python uses."""

import ast
import functools
import re

from glow_tf import public
from helpers.guides import ROOT


@functools.cache
def documented_names():
    """Return the names on the API pages, as `glow_tf.NAME`: of modules, classes and functions, and their headings."""
    names = set()
    for page in (ROOT / "docs" / "api").glob("*.md"):
        text = page.read_text()
        names |= set(re.findall(r"^::: (\S+)", text, re.MULTILINE))
        names |= {f"glow_tf.{name}" for name in re.findall(r"heading: ([\w.]+)", text)}
    return names


def used_names(code):
    """Return the names of glow_tf that Python code uses, as `glow_tf.NAME`."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "glow_tf":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "glow_tf":
            names.add(f"glow_tf.{node.attr}")
    return names


def internal_names(code):
    """Return the names of glow_tf that Python code uses and that are not public."""
    public_names = documented_names() | {f"glow_tf.{name}" for name in public.__all__}

    def is_public(name):
        module, _, last = name.rpartition(".")
        return (name in public_names or module in documented_names()) and not last.startswith("_")

    return {name for name in used_names(code) if not is_public(name)}
