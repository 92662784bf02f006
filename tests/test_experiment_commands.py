"""Test that errors in the command lines of experiments and benchmarks are one line, as those of train.py."""

import pytest

from benchmarks.__main__ import parse
from experiments.command import Parser
from helpers.commands import ROOT, call


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds: expected at least 1, got 0."),
        (["--rounds", "many"], "argument --rounds: invalid int value: 'many'."),
        (["--runds", "2"], "unrecognized arguments: --runds 2."),
    ],
)
def test_error_is_one_line_without_usage(words, message):
    assert call(parse, "python -m benchmarks", *words, code=2) == ("", f"python -m benchmarks: {message}\n")


def test_missing_words_are_one_line():
    parser = Parser("python -m experiments.pretrained")
    parser.add_argument("run")
    _, err = call(parser.parse_args, "", code=2)
    assert err == "python -m experiments.pretrained: the following arguments are required: run.\n"


def test_every_command_has_this_parser():
    files = [path for folder in ("experiments", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert files and not [path for path in files if "ArgumentParser(" in path.read_text()]
