"""Test the start of the commands, the end of one by an error, and renamed options."""

import importlib
import io
import json
import pathlib
import sys
import types
import warnings

import pytest
import tensorflow as tf

from glow_tf import backend
from glow_tf.cli import lean, parsing
from glow_tf.cli.command import rename_options, run_command
from glow_tf.cli.start import command_name, is_command
from glow_tf.config import RunOptions
from glow_tf.errors import DataError, GlowError
from glow_tf.runs import Run
from glow_tf.training import session
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


def test_commands_that_training_prints_quote_the_path():
    counters = types.SimpleNamespace(best=tf.constant([2.0, 3.0]))
    trainer = types.SimpleNamespace(run=Run(pathlib.Path("my runs/a")), state=types.SimpleNamespace(counters=counters))
    lines = []
    session.print_tail(trainer, lines.append)
    assert "python evaluate.py 'my runs/a', or python -m glow_tf.demo 'my runs/a' for" in lines[-1]


INTERRUPTING_KERAS = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
"""A module in the place of Keras that stands for Ctrl-C while it is imported."""


@pytest.mark.parametrize(
    "words", [("train.py",), ("evaluate.py", "x"), *(("-m", f"glow_tf.{m}") for m in ("demo", "export", "openai"))]
)
def test_interrupt_during_the_imports_is_one_line(words, tmp_path):
    (tmp_path / "keras.py").write_text(INTERRUPTING_KERAS)
    out, err = run_python(*words, code=130, PYTHONPATH=str(tmp_path))
    name = words[0] if words[0] != "-m" else f"python -m {words[1]}"
    assert (out, err) == ("", f"{name}: interrupted.\n")


def test_interrupt_of_another_program_that_imports_the_library_stays_an_exception(tmp_path):
    (tmp_path / "keras.py").write_text(INTERRUPTING_KERAS)
    program = "try:\n    import glow_tf\nexcept KeyboardInterrupt:\n    print('caught')"
    assert run_python("-c", program, PYTHONPATH=str(tmp_path))[0] == "caught\n"


def test_another_backend_of_keras_is_refused_in_one_line():
    _, err = run_python("train.py", "--print-config", code=2, KERAS_BACKEND="jax")
    assert err == (
        "train.py: glow_tf needs Keras with TensorFlow as its backend, but the environment variable KERAS_BACKEND says "
        "jax; set KERAS_BACKEND=tensorflow in the environment before Keras is imported.\n"
    )


def test_backend_of_the_library_is_found_where_keras_finds_it(monkeypatch, tmp_path):
    assert backend.configured_backend() == ("tensorflow", "Keras, which is imported already,")
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    backend.check_backend()
    (tmp_path / "keras.json").write_text("no JSON")
    backend.check_backend()
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    with pytest.raises(ImportError, match="keras.json says torch; set KERAS_BACKEND=tensorflow"):
        backend.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    backend.check_backend()


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
    assert not expected or command_name() in [
        f"python -m {name}" for name in ("glow_tf", "glow_tf.demo", "glow_tf.cli.convert")
    ]


def test_script_marks_itself_as_a_command(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "script.py"])
    monkeypatch.setattr(sys, "argv", ["/a/folder/script.py", "-m", "x"])
    monkeypatch.setattr(sys.modules["__main__"], "GLOW_TF_COMMAND", True, raising=False)
    assert is_command() and command_name() == "script.py"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "experiments.paper_figures"])
    monkeypatch.setattr(sys, "argv", ["/a/folder/paper_figures/__main__.py"])
    assert is_command() and command_name() == "python -m experiments.paper_figures"


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


def test_optional_packages_are_hidden_from_keras_only_while_it_is_imported(monkeypatch):
    monkeypatch.setattr(lean, "PACKAGES", ("colorsys", "json"))
    sys.modules.pop("colorsys", None)
    with lean.hidden_packages():
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is json, "it was imported before"
    importlib.import_module("colorsys")
    sys.modules.pop("colorsys")
    with lean.hidden_packages(False):
        importlib.import_module("colorsys")


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
