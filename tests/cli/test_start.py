"""Test the start of the commands, the end of one by an error, and renamed options."""

import ast
import importlib
import inspect
import io
import json
import pathlib
import sys
import types
import warnings

import pytest
import tensorflow as tf

import glow_tf
from glow_tf import backend, presets
from glow_tf.cli import evaluate, lean, main, parsing, start, train
from glow_tf.cli.command import rename_options, run_command, start_tensorflow
from glow_tf.cli.start import command_name, is_command, spell
from glow_tf.config import RunOptions
from glow_tf.errors import ConfigError, DataError, GlowError, RunError
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
    assert err == f"{shown_name}: this needs the package tyro: pip install 'glow_tf[train]'.\n"


def test_interrupt_of_another_program_that_imports_the_library_stays_an_exception(tmp_path):
    (tmp_path / "keras.py").write_text(INTERRUPTING_KERAS)
    program = "try:\n    import glow_tf\nexcept KeyboardInterrupt:\n    print('caught')"
    assert run_python("-c", program, PYTHONPATH=str(tmp_path))[0] == "caught\n"


def test_another_backend_of_keras_is_refused_in_one_line():
    _, err = run_python("train.py", "--run-dir", "nowhere", code=2, KERAS_BACKEND="jax")
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
    start_tensorflow()
    assert not tf32()


def starts_tensorflow_first(function):
    """Return whether a function calls `start_tensorflow`, and imports what needs TensorFlow after it alone."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    starts = [call.lineno for call in calls if getattr(call.func, "id", None) == "start_tensorflow"]
    imports = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
    early = {alias.name for node in imports for alias in node.names if starts and node.lineno < min(starts)}
    return bool(starts) and early <= {"server"}  # the page's, which listens first


@pytest.mark.parametrize("name", [*main.COMMANDS, "starting_experiment"])
def test_command_starts_tensorflow(name):
    module = importlib.import_module(f"glow_tf.cli.{name}")
    functions = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.FunctionDef)]
    assert any(starts_tensorflow_first(function) for function in functions)
    heavy = {"tensorflow", "keras", "tensorflow_probability"}
    assert not heavy & {value.__name__.split(".")[0] for value in vars(module).values() if inspect.ismodule(value)}


@pytest.mark.parametrize("enabled", [False, True])
def test_training_sets_tf32_by_its_option(tf32, enabled):
    session.set_up(RunOptions(tf32=enabled, devices="cpu"))
    assert tf32() is enabled


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


@pytest.mark.parametrize(
    ("main", "words", "text"),
    [
        (evaluate.main, ["attributes", "--help"], "otherwise lengths are those of the original code"),
        (train.main, ["--help"], "pad adds zeros around it; resize scales the shorter side"),
    ],
)
def test_help_breaks_lines_where_the_terminal_ends_alone(main, words, text, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    assert text in call(main, "any", *words)[0]


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


def test_configuration_that_was_printed_is_read_again(tmp_path):
    out, _ = call(train.main, "train.py", "--print-config", "--depth", "3", "--epochs", "2")
    (tmp_path / "config.json").write_text(out)
    experiment, _, _ = train.parse(["--config", str(tmp_path / "config.json"), "--epochs", "7"])
    assert (experiment.model.depth, experiment.training.epochs, experiment.name) == (3, 7, "digits")
    with pytest.raises(ConfigError, match="either --preset or --config"):
        train.parse(["--config", str(tmp_path / "config.json"), "--preset", "digits"])
    (tmp_path / "config.json").write_text(out.replace("depth", "dept"))
    with pytest.raises(RunError, match=r"config.json cannot be read as a configuration: .*dept"):
        train.parse(["--config", str(tmp_path / "config.json")])
