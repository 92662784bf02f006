"""Test the documentation: its Python runs, its commands parse, its names, options and links exist."""

import contextlib
import functools
import importlib.util
import inspect
import pkgutil
import re
import shlex
import shutil
import tomllib

import numpy as np
import pytest
import tyro
from PIL import Image

import glow_tf
from glow_tf import public
from glow_tf.cli import convert, demo, export, parsing, train
from glow_tf.evaluation.commands import COMMANDS
from helpers import guides
from helpers.commands import call_train
from helpers.guides import PAGES, ROOT, code_blocks, page_name
from helpers.public_names import documented_names, internal_names
from helpers.tiny_runs import make_run

GUIDES = ROOT / "docs" / "guides"
SETUP = [f"pip install -r requirements.txt && {command}" for command in ("python train.py", "python -m pytest")]
SLOW_GUIDES = ("conditions_and_attributes", "data_sources", "fine_tuning", "keras", "serving", "tfp")
SLOW = ("README.md", "docs/quickstart.md", *(f"docs/guides/{name}.md" for name in SLOW_GUIDES))
"""Pages whose Python trains, exports or traces for more than a few seconds."""

WITH_PYTHON = [page for page in PAGES if code_blocks(page)]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """Make a run folder of a model of one level, whose exports are traced in half the time."""
    return make_run(tmp_path_factory.mktemp("small") / "run", levels=1)


def test_readme_is_short_and_has_the_commands_of_the_setup():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert set(SETUP) <= set(lines)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page_name(page), marks=pytest.mark.slow if page_name(page) in SLOW else [])
        for page in WITH_PYTHON
    ],
)
def test_python_of_page_runs(page, small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_run, tmp_path / "runs" / "digits")
    guides.run_blocks(page)


def test_printed_layer_in_the_guide_is_what_print_gives():
    page = GUIDES / "write_a_layer.md"
    assert f"print(layer)  # {guides.run_blocks(page)['layer']!r}" in page.read_text()


def is_documented(name):
    """Return whether the API reference has a public name of `glow_tf`: itself, its module, or parts of this module."""
    value = getattr(public, name)
    if inspect.ismodule(value):
        return any(f"{documented}.".startswith(f"glow_tf.{name}.") for documented in documented_names())
    return bool({value.__module__, f"{value.__module__}.{name}", f"glow_tf.{name}"} & documented_names())


def shows_inherited(value, options):
    """Return whether an entry of the API reference shows what a class inherits from classes without an entry."""
    if not inspect.isclass(value) or "members: false" in options or "inherited_members: true" in options:
        return True
    ours = [base for base in value.__mro__[1:] if base.__module__.startswith("glow_tf")]
    bases = [base for base in ours if f"{base.__module__}.{base.__name__}" not in documented_names()]
    return not [name for base in bases for name in vars(base) if not name.startswith("_") and name not in vars(value)]


def test_inherited_methods_are_in_the_api_reference():
    text = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    entries = re.findall(r"^::: (\S+)\n((?: +\S.*\n)*)", text, re.MULTILINE)
    assert len(entries) > 30
    values = [(name, pkgutil.resolve_name(name), options) for name, options in entries]
    for name, module, options in [entry for entry in values if inspect.ismodule(entry[1])]:
        classes = {n: v for n, v in vars(module).items() if inspect.isclass(v) and v.__module__.startswith(name)}
        values += [(f"{name}.{class_name}", value, options) for class_name, value in classes.items()]
    assert "glow_tf.bijectors.Chain" in [name for name, _, _ in values]
    assert not [name for name, value, options in values if not shows_inherited(value, options)]


def test_every_public_name_is_in_the_api_reference():
    assert not [name for name in public.__all__ if not is_documented(name)]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=page_name)
def test_python_of_page_uses_public_names_only(page):
    assert not internal_names("\n".join(code_blocks(page)))


def parse_command(line):
    """Parse a line of a shell block as its program would; raise an error or a `SystemExit` if it does not."""
    words = shlex.split(line.split(" && ")[-1])
    words = words[1:] if words[0] == "python" else words
    program, rest = (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])
    if program == "train.py":
        experiment, _, _ = train.parse(rest)
        preset = re.search(r"--preset (\S+)", line)
        assert not preset or experiment.name == preset[1]
    elif program == "evaluate.py":
        parse_evaluation(rest if rest[0] in COMMANDS else ["report", *rest])
    elif program in COMMANDS_WITHOUT_SCRIPT:
        parsing.parse(COMMANDS_WITHOUT_SCRIPT[program], rest)
    elif words[0] == "-m":
        assert importlib.util.find_spec(program)
    elif program == "pip":
        parse_pip(rest)
    elif program != "export":  # of the shell
        assert (ROOT / program).is_file(), line


parse_evaluation = functools.partial(parsing.parse_subcommand, COMMANDS, config=(tyro.conf.OmitArgPrefixes,))

COMMANDS_WITHOUT_SCRIPT = {
    "glow_tf.export": export.command,
    "glow_tf.demo": demo.command,
    "glow_tf.convert": convert.Options,
}


def parse_pip(words):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words[1:]:
        if word.startswith(".["):
            assert set(word[2:-1].split(",")) <= extras.keys()
        else:
            assert word in ("-r", ".") or (ROOT / word).is_file(), word


@pytest.mark.parametrize("line", [line for line in guides.commands() if "--help" not in line])
def test_command_parses(line, small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits").symlink_to(small_run)
    write_photographs(tmp_path / "my" / "images", 4)
    parse_command(line)


def write_photographs(folder, count):
    """Write `count` images of noise, 48x64 pixels in color."""
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")


@pytest.mark.slow
def test_command_for_own_images_trains_on_photographs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photographs(tmp_path / "my" / "images", 40)
    assert "python train.py --source folder:my/images" in guides.commands()
    small = "--levels 1 --depth 1 --width 8 --batch-size 8 --epoch-steps 2 --epochs 1 --init-images 8".split()
    out, err = call_train("--source", "folder:my/images", *small)
    assert "64x64x3 at 5 bits" in out and "40 of 40 images decide:\n  64x64 pixels" in err
    header = (tmp_path / "runs" / "folder_images" / "metrics.csv").read_text().splitlines()[0]
    assert set(header.split(",")) <= documented_columns()


def documented_columns():
    """Return the columns of `metrics.csv` that the guide lists."""
    rows = (GUIDES / "training.md").read_text().split("| column | holds |")[1].split("\n\n")[0].splitlines()
    return {name for row in rows for name in re.findall("`(.*?)`", row.partition(" | ")[0])}


def test_code_of_the_site_breaks_in_long_names_and_not_in_options():
    pytest.importorskip("mkdocs", reason="the site's extra: pip install '.[docs]'")
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    name = "tf.config.experimental.set_memory_growth"
    page = f"<p><code>{name}</code>, <code>--ema x-y</code></p><pre><code>{name}\n--ema\n</code></pre>"
    shown = hooks.on_page_content(page, None, None, None)
    assert "tf.<wbr>config" in shown and '<code><span class="option">--ema</span> x-y</code>' in shown
    assert shown.endswith(f"<pre><code>{name}\n--ema\n</code></pre>")


def help_text(capsys):
    """Return the help of all commands and sub-commands."""
    calls = [lambda: train.parse(["--help"])]
    calls += [functools.partial(parse_evaluation, [name, "--help"]) for name in COMMANDS]
    calls += [functools.partial(parsing.parse, target, ["--help"]) for target in COMMANDS_WITHOUT_SCRIPT.values()]
    for call in calls:
        with contextlib.suppress(SystemExit):
            call()
    return capsys.readouterr().out


def test_every_option_in_the_text_exists(capsys):
    text = re.sub(r"[│\s]+", " ", help_text(capsys))
    named = set()
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        if page.name == "training.md":
            prose = re.sub(r"^\| `--[^|]*\|", "", prose, flags=re.MULTILINE)  # the original's flags
        named |= {option for code in re.findall(r"`([^`]+)`", prose) for option in re.findall(r"--[\w-]+", code)}
    assert len(named) > 50
    assert not {name for name in named if not re.search(rf"{name}(?![\w-])", text)}


def test_table_of_flags_has_every_row():
    table = (GUIDES / "training.md").read_text().split("## The original's flags")[1].split("\n## ")[0]
    assert len([row for row in table.splitlines() if row.startswith("| `--")]) == 16


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("[CT]*.md"))], ids=page_name)
def test_files_behind_links_exist(page):
    assert not [path for path in guides.linked_files(page.read_text()) if not (page.parent / path).exists()]


def test_version_of_the_citation_is_that_of_the_package():
    assert f"version: {glow_tf.__version__}\n" in (ROOT / "CITATION.cff").read_text()
