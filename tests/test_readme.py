"""Test that the code and commands of the README run."""

import re
import shlex

import numpy as np
import pytest
from PIL import Image

from glow_tf.cli import train
from glow_tf.evaluation.commands import COMMANDS
from helpers.commands import ROOT, call_train
from helpers.guides import code_blocks

README = ROOT / "README.md"


@pytest.mark.slow
def test_readme_python_code_runs(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits").symlink_to(tiny_run)
    exec(compile("\n".join(code_blocks(README)), "README.md", "exec"), {})


def commands():
    lines = [line.split("  #")[0].strip() for block in code_blocks(README, "bash") for line in block.splitlines()]
    return [line for line in lines if "python" in line and not line.startswith("pip")]


@pytest.mark.parametrize("line", [c for c in commands() if "train.py" in c and "--help" not in c])
def test_readme_training_commands_parse(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "images").mkdir(parents=True)
    for i in range(4):
        Image.new("RGB", (64, 48), (i, 0, 0)).save(tmp_path / "my" / "images" / f"{i}.png")
    experiment, _, _ = train.parse(shlex.split(line.split("train.py", 1)[1]))
    preset = re.search(r"--preset (\S+)", line)
    default = "folder_images" if "folder:my/images" in line else "digits"
    assert experiment.name == (preset[1] if preset else default)


@pytest.mark.slow
def test_readme_command_for_own_images_trains_on_photographs(tmp_path):
    (line,) = [command for command in commands() if "folder:my/images" in command]
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.jpg")
    words = [word.replace("my/images", str(tmp_path)) for word in shlex.split(line.split("train.py", 1)[1])]
    words += ["--run-dir", str(tmp_path / "run")]
    small = "--levels 1 --depth 1 --width 8 --batch-size 8 --epoch-steps 2 --epochs 1 --init-images 8".split()
    out, err = call_train(*words, *small)
    assert "64x64x3 at 5 bits" in out and "40 of 40 images decide:\n  64x64 pixels" in err


def test_readme_evaluation_commands_exist():
    lines = [c for c in commands() if "evaluate.py" in c]
    assert {c.split()[2] for c in lines if not c.split()[2].startswith("runs")} <= set(COMMANDS)
    assert len(lines) > 5


def test_readme_table_of_flags_names_existing_options(capsys):
    with pytest.raises(SystemExit):
        train.parse(["--help"])
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    table = README.read_text().split("### The original's flags")[1].split("\n## ")[0]
    ours = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `--")]
    names = {name for cell in ours for name in re.findall(r"--[a-z0-9-]+", cell)}
    assert len(names) > 20
    assert not {name for name in names if not re.search(rf"{name}\b", text)}
