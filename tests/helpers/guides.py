"""Run the Python of the guides, so that what they show works."""

import functools
import pathlib
import re

GUIDES = pathlib.Path(__file__).parents[2] / "docs" / "guides"


def python_blocks(name):
    """Return the Python code blocks of a guide."""
    return re.findall(r"```python\n(.*?)```", (GUIDES / name).read_text(), re.DOTALL)


@functools.cache
def run_blocks(name, count=None):
    """Run the first `count` Python blocks of a guide (all by default) once; return their global names."""
    names = {"__name__": f"guide_{name.partition('.')[0]}"}
    for block in python_blocks(name)[:count]:
        exec(compile(block, name, "exec"), names)
    return names
