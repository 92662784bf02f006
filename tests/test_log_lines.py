"""Test that the library logs, that only commands print, and that commands show what the library logs."""

import ast
import io
import logging
import pathlib
import sys

import numpy as np
import pytest
import tqdm

import glow_tf
from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.log_lines import LIBRARY, shown_as_lines
from glow_tf.training import session
from helpers.commands import call
from helpers.source_cases import SHAPE, save_pictures

ROOT = pathlib.Path(glow_tf.__file__).parent

PRINTING = {
    "log_lines.py": "writes what is logged",
    "data/face_drawings.py": "is a program, whose output another process reads",
    "training/api.py": "prints if the caller says so, by verbose",
    "training/logs.py": "shows the progress, if the caller says so",
    "training/overfitting.py": "shows the progress, if the caller says so",
}
"""Modules of the library that may write to the terminal, and why."""

WRITERS = ("print", "sys.stdout.", "sys.stderr.write", "traceback.print_exc", "tqdm.tqdm.write")


def is_command(path):
    return path.startswith(("cli/", "evaluation/commands/")) or path.endswith("__main__.py")


def writes(tree):
    """Return the names and attributes of a syntax tree that write to the terminal."""
    names = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    return [name for name in names if name == "print" or name.startswith(WRITERS[1:])]


def test_only_commands_print():
    paths = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
    printing = {name for name, path in paths.items() if not is_command(name) and writes(ast.parse(path.read_text()))}
    assert printing == {*PRINTING, "demo/server.py"}
    server = writes(ast.parse(paths["demo/server.py"].read_text()))
    assert server == ["sys.stdout.flush"]


@pytest.fixture
def source(tmp_path):
    """Open a folder of images, of which the first is damaged and may be left out."""
    save_pictures(tmp_path, np.zeros([60, 8, 8, 3], np.uint8))
    (tmp_path / "0.png").write_bytes(b"no picture")
    return open_source(DataConfig(f"folder:{tmp_path}", on_damaged="skip"), SHAPE)


def read_twice(source):
    return [bool(source.record(0)[3]) for _ in range(2)]


def test_library_logs_and_a_command_shows_the_lines(source, caplog, capsys):
    assert read_twice(source) == [False, False]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.name == "glow_tf.data.files"
    assert record.getMessage().startswith("left out: ") and capsys.readouterr() == ("", "")

    def main(_):
        source._reported_rows.clear()
        read_twice(source)
        LIBRARY.info("faces by a painter")

    out, err = call(main, "evaluate.py")
    assert out == "" and err == f"{record.getMessage()}\nfaces by a painter\n"
    assert LIBRARY.handlers == [] and not LIBRARY.isEnabledFor(logging.INFO)


@pytest.mark.parametrize(("verbose", "expected"), [(True, "faces by a painter\n"), (False, "")])
def test_training_from_python_shows_the_lines_if_it_is_verbose(verbose, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "run", lambda *_, **__: LIBRARY.info("faces by a painter") or 1)
    with pytest.raises(SystemExit):
        glow_tf.train("digits", tmp_path, verbose=verbose)
    assert capsys.readouterr() == ("", expected)


def test_line_stands_above_a_progress_bar(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_as_lines(), tqdm.tqdm(total=3, desc="reading", file=stream) as bar:
        LIBRARY.info("left out: a.png")
        bar.update()
    before, after = stream.getvalue().split("left out: a.png\n")
    assert before.endswith("\r") and after.startswith("\rreading")


def test_line_is_not_written_twice_where_the_program_shows_all_messages(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler()])  # as basicConfig does
    with shown_as_lines():
        LIBRARY.warning("left out: a.png")
    assert capsys.readouterr().err == "left out: a.png\n"


def test_handler_of_the_program_is_the_only_one(monkeypatch, capsys):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(LIBRARY, "handlers", [handler])
    with shown_as_lines():
        LIBRARY.warning("left out: a.png")
        LIBRARY.info("faces by a painter")
    assert lines == ["left out: a.png"] and capsys.readouterr().err == ""
