"""Provide what the training tests share: a run of steps that only count, and copies of it to damage."""

import shutil

import pytest

from glow_tf.training import session
from helpers.damaged_runs import FILES
from helpers.stub_training import StubTrainer, train


@pytest.fixture
def stubbed(monkeypatch):
    """Train with steps that only count."""

    def make_trainer(experiment, options, _):
        fields = dict(vars(options))
        return StubTrainer(fields.pop("run_dir"), experiment, **fields)

    monkeypatch.setattr(session, "Trainer", make_trainer)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Train two epochs of two steps, the first of them the best; return the run folder."""
    path = tmp_path_factory.mktemp("finished") / "run"
    train(path, loss=lambda steps: steps)
    shutil.rmtree(path / "tensorboard", ignore_errors=True)  # its file has another name each time
    for name in ("pictures/samples.png", "tensorboard/events"):
        (path / name).parent.mkdir()
        (path / name).write_bytes(bytes(range(100)))
    assert {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} == FILES
    return path


@pytest.fixture(scope="session")
def trainer(finished):
    """Make one trainer, which is pointed at each damaged folder in turn."""
    return StubTrainer(finished)


@pytest.fixture
def damaged(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"
