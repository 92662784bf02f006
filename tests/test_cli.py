"""Test the start of the commands, the end of one by an error, and renamed options."""

import sys
import warnings

import pytest
import tensorflow as tf

from glow_tf.cli import parsing
from glow_tf.cli.command import rename_options, run_command
from glow_tf.cli.quiet import is_command
from glow_tf.config import RunOptions
from glow_tf.errors import GlowError
from glow_tf.training import session
from helpers.commands import run_python


def test_user_error_is_one_line_and_exit_code_2(capsys):
    def main(arguments):
        raise GlowError(f"expected bread, got {arguments[0]}.")

    with pytest.raises(SystemExit) as end:
        run_command(main, "bake.py", ["stones"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "bake.py: expected bread, got stones.\n"


@pytest.fixture
def tf32():
    """Set TF32 on, TensorFlow's default; give the function that reads it."""
    tf.config.experimental.enable_tensor_float_32_execution(True)
    return tf.config.experimental.tensor_float_32_execution_enabled


def test_tf32_is_off_in_every_command(tf32):
    seen = []
    with pytest.raises(SystemExit):
        run_command(lambda arguments: seen.append(tf32()), "any", [])
    assert seen == [False]


@pytest.mark.parametrize("enabled", [False, True])
def test_training_sets_tf32_by_its_option(tf32, enabled):
    session.set_up(RunOptions(tf32=enabled, devices="cpu"))
    assert tf32() is enabled


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("python -m glow_tf.demo RUN", True),
        ("python -u -m glow_tf.cli.convert CHECKPOINT OUT", True),
        ("python -um glow_tf.demo RUN", True),
        ("python -mglow_tf.demo RUN", True),
        ("python -um program", False),
        ("python -m glow_tf", True),
        ("python -m glow_tf_tools.train", False),
        ("python -m program", False),
        ("python -m program -m glow_tf.demo", False),
        ("python program.py", False),
        ("python program.py -m glow_tf.demo", False),
    ],
)
def test_commands_of_this_project_are_distinguished_from_other_programs(words, expected, monkeypatch):
    words = words.split()
    monkeypatch.setattr(sys, "orig_argv", words)
    # Python has "-m" there while it imports the package of such a command.
    monkeypatch.setattr(sys, "argv", ["program.py"] if words[1] == "program.py" else ["-m"])
    monkeypatch.setenv("GLOW_TF_COMMAND", "1")  # the earlier mark of a command, which child processes inherited
    assert is_command() is expected


def test_script_marks_itself_as_a_command(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "script.py"])
    monkeypatch.setattr(sys.modules["__main__"], "GLOW_TF_COMMAND", True, raising=False)
    assert is_command()


OTHER_PROGRAM = """
import os
import sys

import keras
import tensorflow


class Writer:
    '''Write to file descriptor 2 while glow_tf is imported, as TensorFlow does.'''

    def find_spec(self, name, path=None, target=None):
        if name == "glow_tf.model":
            os.write(2, b"written during the import")


before = dict(os.environ)
sys.meta_path.insert(0, Writer())
import glow_tf

names = before.keys() | os.environ.keys()
print("changed:", sorted(name for name in names if before.get(name) != os.environ.get(name)))
"""
"""The `__init__` of a package that imports glow_tf. Keras and TensorFlow, which set variables, come first."""


@pytest.mark.slow
def test_import_in_another_program_hides_no_message_and_sets_no_variable(tmp_path):
    package = tmp_path / "other_program"
    package.mkdir()
    (package / "__init__.py").write_text(OTHER_PROGRAM)
    (package / "__main__.py").write_text("print('done')\n")
    out, err = run_python("-m", "other_program", PYTHONPATH=str(tmp_path))
    assert "written during the import" in err
    assert out.splitlines() == ["changed: []", "done"]


FRAME = """\
╭─ Unrecognized options ───────────╮
│ Unrecognized options: --dept, 3  │
│ ──────────────────────────────── │
│ Perhaps you meant:               │
│     --depth INT                  │
│         The number of flow steps │
│ ──────────────────────────────── │
│ For full helptext, run x --help  │
╰──────────────────────────────────╯
"""
"""An error message of tyro."""

WITHOUT_DRAWING_CHARACTERS = "\n".join(
    [
        " Unrecognized options ",
        " -------------------- ",
        *(f"  {line[2:-1]}".replace("─", "-") for line in FRAME.splitlines()[1:-1]),
    ]
)


@pytest.mark.parametrize("frame", [FRAME, WITHOUT_DRAWING_CHARACTERS, f"\x1b[31m{FRAME}\x1b[0m"])
def test_framed_error_becomes_a_sentence(frame):
    assert parsing.sentence(frame) == "Unrecognized options: --dept, 3. Did you mean --depth?"


def test_command_runs_after_its_parsing_and_writes_to_standard_error_then(capsys):
    def command(count: int = 1):
        print(f"{count} loaves", file=sys.stderr)

    run = parsing.parse(command, ["--count", "3"])
    assert capsys.readouterr().err == ""
    run()
    assert capsys.readouterr().err == "3 loaves\n"


def test_old_names_of_options_are_replaced_with_a_warning():
    renamed = {"--average": "--ema"}
    with pytest.warns(UserWarning, match="--average is now --ema; the old name will be removed in the next release"):
        assert rename_options(["RUN", "--average", "--out", "x"], renamed) == ["RUN", "--ema", "--out", "x"]
    with pytest.warns(UserWarning, match="--average is now --ema"):
        assert rename_options(["--average=True"], renamed) == ["--ema=True"]


def test_new_names_of_options_stay_without_a_warning():
    words = ["RUN", "--ema", "--name=--average", "--averages", "average"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rename_options(words, {"--average": "--ema"}) == words
