"""Test that a command which fails or is interrupted ends with one line and an exit code."""

import io
import sys

import pytest
import tensorflow as tf

from glow_tf.cli import main, start
from glow_tf.cli.command import run_command
from glow_tf.errors import DataError, GlowError
from helpers.commands import call, run_python


def test_user_error_is_one_line_and_exit_code_2(capsys):
    def main(arguments):
        raise GlowError(f"expected bread, got {arguments[0]}.")

    with pytest.raises(SystemExit) as end:
        run_command(main, "bake.py", ["stones"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "bake.py: expected bread, got stones.\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted."),
        (PermissionError(13, "Permission denied", "/data/x"), 2, "Permission denied: /data/x"),
        (OSError("Unable to open file\nmore"), 2, "Unable to open file"),
        (MemoryError("Unable to allocate 9 TiB"), 2, "there is not enough memory (Unable to allocate 9 TiB); take"),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore"),
            2,
            "there is not enough memory (OOM",
        ),
        (DataError("z\udcff.png is damaged."), 2, "z\\udcff.png is damaged."),
    ],
)
def test_end_of_a_command_is_one_line(error, code, line):
    def main(arguments):
        raise error

    out, err = call(main, "bake.py", code=code)
    assert out == "" and err.startswith(f"bake.py: {line}") and err.count("\n") == 1


def test_message_of_an_error_reaches_tensorflow_whole_whatever_the_name_of_the_file():
    def load(row):
        raise DataError("z\udcff.png is damaged.")

    @tf.function
    def read():
        return tf.numpy_function(load, [0], tf.int32)

    with pytest.raises(tf.errors.OpError, match=r"DataError: z\\udcff.png is damaged"):
        read()


def test_name_that_the_terminal_cannot_show_is_printed_in_escapes(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit):
        run_command(lambda arguments: print("runs/漢 z\udcff"), "any", [])
    terminal.seek(0)
    assert terminal.read() == "runs/\\u6f22 z\\udcff\n"


INTERRUPTING_KERAS = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
"""A module in the place of Keras that stands for Ctrl-C while it is imported."""


@pytest.mark.parametrize(
    "words",
    [
        ("train.py",),
        ("-m", "glow_tf.demo", "faces"),
        pytest.param(("evaluate.py", "x"), marks=pytest.mark.slow),
        pytest.param(("-m", "glow_tf.export", "x", "y"), marks=pytest.mark.slow),
        pytest.param(("-m", "glow_tf.openai", "x", "y", "--bits", "8", "--image-size", "32"), marks=pytest.mark.slow),
        pytest.param(("-m", "glow_tf", "train"), marks=pytest.mark.slow),
    ],
)
def test_interrupt_during_the_imports_is_one_line(words, tmp_path):
    if "glow_tf.demo" in words:
        pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
    (tmp_path / "keras.py").write_text(INTERRUPTING_KERAS)
    out, err = run_python(*words, code=130, PYTHONPATH=str(tmp_path))
    name = words[0] if words[0] != "-m" else f"python -m {words[1]}"
    assert out == ("faces: getting ready ...\n" if "demo" in name else "")
    assert err.endswith(f"{name}: interrupted.\n") and err.count("\n") == 1 + ("openai" in name)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_command_without_its_extra_is_one_line(name, tmp_path):
    (tmp_path / "tyro.py").write_text("raise ModuleNotFoundError('No module named tyro', name='tyro')")
    spelled = start.SCRIPTS[name]
    _, err = run_python(*spelled.split()[1:], "--help", code=2, PYTHONPATH=str(tmp_path))
    shown_name = f"{name}.py" if spelled.endswith(".py") else spelled
    assert err == f"{shown_name}: this needs the package tyro: pip install '.[train]'.\n"


def test_interrupt_of_another_program_that_imports_the_library_stays_an_exception(tmp_path):
    (tmp_path / "keras.py").write_text(INTERRUPTING_KERAS)
    program = "try:\n    import glow_tf\nexcept KeyboardInterrupt:\n    print('caught')"
    assert run_python("-c", program, PYTHONPATH=str(tmp_path))[0] == "caught\n"
