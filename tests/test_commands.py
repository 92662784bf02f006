"""Test each command in a process of its own, from its start to the exit code, and that errors take one line.

`evaluate.py` starts as a user's process does; the others are forks, as `cli/test_start.py` tests that all start
TensorFlow by the same function. `train.py` runs in `training/test_resume.py`, and as a user starts it in
`test_package.py`.
"""

import re
import urllib.request

import pytest

from glow_tf import Glow
from glow_tf.cli import convert, demo, evaluate, export, train
from glow_tf.config import ModelConfig
from helpers.commands import call, run_fork, run_python, start_demo
from helpers.golden import case
from helpers.openai_checkpoints import options


@pytest.fixture
def keras_file(tmp_path):
    """Save the smallest Glow there is."""
    Glow(ModelConfig(image_shape=(2, 2, 1), levels=1, depth=1, width=1)).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def run(*words, code=0, start=run_python):
    """Run `python WORDS`; return stdout, and the lines of stderr."""
    out, err = start(*words, code=code)
    return out, [line for line in re.split(r"[\r\n]", err) if line.strip()]


@pytest.mark.slow
def test_evaluate_command(keras_file):
    out, err = run("evaluate.py", "samples", keras_file, "--data", "bundled:digits", "--fit", "resize", "--columns", 2)
    assert err == []
    assert (
        "samples_columns_2.png" in out
        and (keras_file.parent / "model_evaluation" / "bundled_digits_resize" / "samples_columns_2.png").is_file()
    )


@pytest.mark.slow
def test_evaluate_command_of_a_missing_run(tmp_path):
    out, err = run("evaluate.py", tmp_path / "nothing", code=2, start=run_fork)
    assert out == "" and len(err) == 1 and "is not a run folder" in err[0]


@pytest.mark.slow
def test_export_command(keras_file, tmp_path):
    out, err = run("-m", "glow_tf.export", keras_file, tmp_path / "saved", start=run_fork)
    assert err == []
    assert "a SavedModel of" in out and (tmp_path / "saved" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_import_command(tmp_path):
    golden = case("case1_affine_1x1")
    out, err = run("-m", "glow_tf.convert", golden.checkpoint, tmp_path / "run", *options(golden), start=run_fork)
    assert err == []
    assert "To resume its training, import it with" in out and (tmp_path / "run" / "config.json").is_file()


@pytest.mark.slow
def test_demo_command(keras_file):
    pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
    process, address = start_demo(keras_file)
    try:
        with urllib.request.urlopen(address) as response:
            assert response.status == 200 and b"<html" in response.read()
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    ("main", "name", "words", "message"),
    [
        (train.main, train.NAME, ("--preset", "nothing"), "preset: expected one of digits"),
        (evaluate.main, evaluate.NAME, ("{folder}/nothing",), "is not a run folder"),
        (
            export.main,
            export.NAME,
            ("{folder}/nothing", "{folder}/out"),
            "expected the name of a preset, a run folder or",
        ),
        (demo.main, demo.NAME, ("{folder}/nothing", "--port", "0"), "is not a run folder"),
        (convert.main, convert.NAME, ("{folder}/x.ckpt", "{folder}/run"), "expected --bits"),
        (train.main, train.NAME, ("--preset", "cifar"), "got 'cifar'. Did you mean cifar10?"),
        (train.main, train.NAME, ("--dept", "3"), "Unrecognized options: --dept, 3. Did you mean --depth?"),
        (train.main, train.NAME, ("--width", "wide"), "--width: expected a whole number, got 'wide'."),
        (train.main, train.NAME, ("--epochs", "3.5"), "--epochs: expected a whole number, got '3.5'."),
        (train.main, train.NAME, ("--beta2", "x"), "--beta2: expected a number, got 'x'."),
        (train.main, train.NAME, ("--learning-rate", "inf"), "learning_rate: expected a finite number, more than 0"),
        (train.main, train.NAME, ("--seed", "9" * 20), f"got {'9' * 20}."),
        (train.main, train.NAME, ("--run-dir",), "Missing value for argument '--run-dir'"),
        (train.main, train.NAME, ("--run-dir", ""), "run_dir: expected something, got ''"),
        (evaluate.main, evaluate.NAME, ("sample", "{folder}"), "got 'sample'. Did you mean samples?"),
        (evaluate.main, evaluate.NAME, ("xyz", "{folder}"), "expected one of report, bits, samples"),
        (evaluate.main, evaluate.NAME, ("samples", "{folder}", "--seed", "-1"), "--seed: expected 0 to 2,147,483,647"),
        (evaluate.main, evaluate.NAME, ("samples", ""), "RUN: expected something, got ''"),
        (evaluate.main, evaluate.NAME, (), "Expected one of {{report, bits, samples"),
        (export.main, export.NAME, ("{folder}/run",), "OUT is missing: Folder to write."),
        (export.main, export.NAME, ("", "{folder}/out"), "RUN: expected something, got ''"),
        (demo.main, demo.NAME, ("{folder}", "--port", "70000"), "--port: expected 0 to 65,535, got 70000"),
        (convert.main, convert.NAME, ("x", "y", "--bits", "9"), "--bits: expected 1 to 8, got 9"),
        (convert.main, convert.NAME, ("x", "y", "--weight-y", "nan"), "--weight-y: expected a finite number"),
    ],
)
def test_command_reports_an_error_in_one_line(main, name, words, message, tmp_path):
    if name.endswith("demo"):
        pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
    out, err = call(main, name, *(word.format(folder=tmp_path) for word in words), code=2)
    assert out == "" and err.startswith(f"{name}: ") and message.format() in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
