"""Hooks of MkDocs: pages whose text is another file, links to files that the site does not have, and code.

A page in INCLUDED is a link to its file, for readers of the repository; the site shows the file itself. Links of any
page to files outside of `docs/` work in the repository; the site has no address for them and shows their text alone.
Code in a sentence breaks between lines where a reader expects it: not within an option, but within a long name.
"""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]

INCLUDED = {
    "benchmarks.md": "benchmarks/README.md",
    "figures.md": "experiments/paper_figures/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "notices.md": "THIRD_PARTY_NOTICES.md",
}
"""Pages of the site, and the files that they show."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")
"""A Markdown link to a file: its text, the path and the anchor. Images do not match."""

INLINE_CODE = re.compile(r"<code>([^<\n]+)</code>")
"""Code in a sentence; the code of a block has line ends or tags."""

OPTION = re.compile(r"--?[a-z][\w-]*")
"""An option of a command, which browsers break after its hyphens."""

MAX_UNBROKEN = 30
"""The longest word of code that fits beside another column on a phone."""


def on_files(files, config):
    """Add the pictures of the included files, next to the pages that show them."""
    for path in INCLUDED.values():
        for picture in sorted((ROOT / path).parent.glob("*.png")):
            if not files.get_file_from_path(picture.name):
                files.append(File.generated(config, picture.name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Put the text of an included file into its page, and unlink what the site does not have."""
    name = page.file.src_uri
    source = INCLUDED.get(name)
    if source is None:
        folder = posixpath.dirname(f"docs/{name}")
    else:
        markdown, folder = (ROOT / source).read_text(), posixpath.dirname(source)

    def replace(match):
        text, path, anchor = match[1], posixpath.normpath(posixpath.join(folder, match[2])), match[3] or ""
        pages = {file: page for page, file in INCLUDED.items()}
        target = pages.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if target is None:
            return text
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(name) or '.')}{anchor})"

    return LINK.sub(replace, markdown)


def on_page_content(html, page, config, files):
    """Mark options in code, which `site.css` keeps on one line, and the places where longer words may break."""

    def mark(match):
        return f"<code>{' '.join(map(_breakable, match[1].split(' ')))}</code>"

    return INLINE_CODE.sub(mark, html)


def _breakable(word):
    """Return a word of code as HTML."""
    if len(word) > MAX_UNBROKEN:
        return re.sub(r"[./_(,-]", r"\g<0><wbr>", word)
    return OPTION.sub(r'<span class="option">\g<0></span>', word) if word.startswith("-") else word
