"""Read the code blocks of the documentation, and run the Python of the guides, so that what they show works."""

import functools
import pathlib
import re

GUIDES = pathlib.Path(__file__).parents[2] / "docs" / "guides"


def code_blocks(path, language="python"):
    """Return the code blocks of a Markdown file in one language."""
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


@functools.cache
def run_blocks(name, count=None):
    """Run the first `count` Python blocks of a guide (all by default) once; return their global names."""
    names = {"__name__": f"guide_{name.partition('.')[0]}"}
    for block in code_blocks(GUIDES / name)[:count]:
        exec(compile(block, name, "exec"), names)
    return names
