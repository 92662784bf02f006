"""Test how this project's commands are recognized, named and spelled in messages."""

import pathlib
import sys
import types

import pytest
import tensorflow as tf

import glow_tf
from glow_tf import presets
from glow_tf.cli import main
from glow_tf.cli.start import command_name, is_command, spell
from glow_tf.errors import RunError
from glow_tf.runs import Run
from glow_tf.training import session
from helpers.commands import call


def test_commands_that_training_prints_quote_the_path():
    counters = types.SimpleNamespace(best=tf.constant([2.0, 3.0]))
    row = {"epoch": 4.0, "val_bits_x": 2.0, "val_bits_x_average": 3.1, "val_bits_y": 0.0, "val_bits_y_average": 0.0}
    trainer = types.SimpleNamespace(
        run=Run(pathlib.Path("my runs/a")),
        state=types.SimpleNamespace(counters=counters),
        table=types.SimpleNamespace(rows=lambda: [row]),
        experiment=presets.get("digits"),
    )
    lines = []
    session.print_tail(trainer, lines.append)
    assert "glow-tf evaluate 'my runs/a', or glow-tf demo 'my runs/a' for" in lines[-2]
    assert "glow-tf train --preset faces" in lines[-1]
    assert lines[0] == "best validation: 2.0000 bits/dim (epoch 4), with EMA weights 3.0000 bits/dim"
    trainer.experiment = presets.get("digits_conditional")
    session.print_tail(trainer, lines.append)
    assert "best validation: loss 2.0000 (epoch 4), with EMA weights loss 3.0000" in lines, (
        "with a share of the classifier's"
    )
    counters.best = tf.constant([float("inf")] * 2)
    session.print_tail(trainer, lines.append)
    assert "best validation: none yet, with EMA weights none yet" in lines


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("python -m glow_tf.demo RUN", True),
        ("python -u -m glow_tf.convert CHECKPOINT OUT", True),
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
    assert not expected or command_name() in [
        f"python -m {name}" for name in ("glow_tf", "glow_tf.demo", "glow_tf.convert")
    ]


def test_script_marks_itself_as_a_command(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "script.py"])
    monkeypatch.setattr(sys, "argv", ["/a/folder/script.py", "-m", "x"])
    monkeypatch.setattr(sys.modules["__main__"], "GLOW_TF_COMMAND", True, raising=False)
    assert is_command() and command_name() == "script.py"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "experiments.paper_figures"])
    monkeypatch.setattr(sys, "argv", ["/a/folder/paper_figures/__main__.py"])
    assert is_command() and command_name() == "python -m experiments.paper_figures"


def test_one_command_names_the_others():
    out, _ = call(main.main, "glow-tf", "--help")
    assert out.startswith("usage: glow-tf COMMAND [OPTIONS]") and all(f"\n  {name}" in out for name in main.COMMANDS)
    assert call(main.main, "glow-tf", "--version")[0] == f"glow-tf {glow_tf.__version__}\n"
    _, err = call(main.main, "glow-tf", "evalute", "x", code=2)
    assert err.startswith("glow-tf: expected one of train, ") and err.endswith("Did you mean evaluate?\n")
    _, err = call(main.main, "glow-tf", "train", "--depht", "3", code=2)
    assert err == "glow-tf train: Unrecognized options: --depht, 3. Did you mean --depth?\n"


@pytest.mark.parametrize(
    ("script", "flag", "expected"),
    [
        ("/usr/bin/glow-tf", False, "glow-tf evaluate"),
        ("glow-tf.exe", False, "glow-tf evaluate"),
        ("train.py", True, "python evaluate.py"),
        ("a_notebook.py", False, "glow-tf evaluate"),
    ],
)
def test_next_command_is_spelled_as_this_process_was_started(script, flag, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setattr(sys, "orig_argv", ["python", script])
    monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(GLOW_TF_COMMAND=flag))
    assert spell("evaluate") == expected
    with pytest.raises(RunError, match=f"{expected.replace('evaluate', 'train')} makes one"):
        Run.open("nothing")
