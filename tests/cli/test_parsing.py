"""Test how command lines are parsed: errors, help, renamed options, and configurations that were printed."""

import sys
import warnings

import pytest

from glow_tf.cli import evaluate, parsing, train
from glow_tf.cli.command import rename_options
from glow_tf.errors import ConfigError, RunError
from helpers.commands import call

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
