"""Read the pages of the documentation, their code and their commands, and run their Python."""

import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
"""The README and the pages of the site."""


LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:)([^)#\s]+)")
"""A Markdown link, or picture, of a file; the group is its path."""


def linked_files(text):
    """Return the paths of the files that Markdown links to, outside of its code blocks."""
    return LINK.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def code_blocks(path, language="python"):
    """Return the code blocks of a Markdown file in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def commands():
    """Return the lines of all shell blocks of all pages, without comments, each once."""
    lines = [line for page in PAGES for block in code_blocks(page, "bash") for line in block.splitlines()]
    return sorted({line.split("  #")[0].strip() for line in lines})


def page_name(path):
    """Return the name of a page below the root of the repository."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def run_blocks(path, count=None):
    """Run the first `count` Python blocks of a page (all by default) once; return their global names."""
    names = {"__name__": f"page_{path.stem}"}
    for block in code_blocks(path)[:count]:
        exec(compile(block, page_name(path), "exec"), names)
    return names
