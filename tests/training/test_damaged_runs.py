"""Test that a run folder with a lost or damaged file is refused, or used with a warning: never silently and wrongly."""

import contextlib
import dataclasses
import functools
import shutil
import warnings

import numpy as np
import pytest
import tensorflow as tf

import glow_tf.export
from glow_tf import Glow, runs
from glow_tf.cli import export
from glow_tf.demo import session as demo_session
from glow_tf.errors import GlowError, RunError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import MetricsTable, Run
from glow_tf.training.checkpoints import UNAVAILABLE_ERRORS
from glow_tf.training.run_folder import claimed
from helpers.damage import DAMAGES, empty, flip_bit, replace_by_garbage
from helpers.stub_training import EXPERIMENT, CountingStep, StubTrainer, train

CHECKPOINTS = {f"checkpoints/ckpt-{step}.{part}" for step in (0, 2, 4) for part in ("index", "data-00000-of-00001")}

READS = {
    "resume": {"config.json", "metrics.csv", "checkpoints/checkpoint", *CHECKPOINTS, "weights/last.weights.h5"},
    "evaluate": {"config.json", "weights/best.weights.h5"},
    "evaluate --ema": {"config.json", "weights/best_average.weights.h5"},
    "last weights": {"config.json", "weights/last.weights.h5"},
    "last EMA weights": {"config.json", "weights/last_average.weights.h5"},
    "export": {"config.json", "weights/best.weights.h5"},
    "page": {"config.json", "weights/best.weights.h5"},
}
"""The commands on a run folder, and the files that each reads."""

FLIPS = (0.1, 0.45, 0.8)
"""Shares of a file's length at which a bit is flipped."""

FILES = set().union(*READS.values(), {"pictures/samples.png", "tensorboard/events"})


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def trainer(finished):
    """Make one trainer, which is pointed at each damaged folder in turn."""
    return StubTrainer(finished)


@pytest.fixture
def damaged(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def point(trainer, path):
    trainer.run = trainer.state.run = Run(path)
    trainer.table = MetricsTable(trainer.run.metrics_path)
    trainer.state.checkpoints.directory = trainer.run.checkpoints
    trainer.state.counters.step.assign(-1)
    for variable in (*trainer.state.model.weights, *trainer.state.ema.shadows):
        variable.assign(tf.zeros_like(variable))


def resume(trainer, path):
    """Restore as a training does at its start; return the state's weights and its step."""
    point(trainer, path)
    trainer.run.experiment()
    with claimed(trainer.run):
        trainer.restore()
    trainer.table.warn_of_missing_rows(trainer.state.steps // 2)
    return trainer.state.model.get_weights(), trainer.state.steps


def outcome(use):
    """Return what `use()` gives, or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = None
        with contextlib.suppress(GlowError):
            result = use()
    return result, caught


def same(weights, others):
    return all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))


@pytest.fixture
def uses(trainer, monkeypatch):
    """Return the commands on a run folder by name, without what they compute; each gives weights and a configuration.

    The models are made once: a `Run` fills them with the weights of its files.
    """
    models = {}

    def model(config):
        if config not in models:
            models[config] = Glow(config)
        models[config].set_weights([np.zeros_like(w) for w in models[config].get_weights()])
        return models[config]

    def exported(path):
        export.command(str(path), str(path.with_name("exported")))
        return shown.pop().get_weights(), None

    def opened(path):
        demo_session.open_session(path)
        return shown.pop().get_weights(), None

    def evaluated(path, ema):
        context = open_context(TargetOptions(str(path), ema=ema))
        return context.model.get_weights(), context.experiment

    shown = []
    monkeypatch.setattr(runs, "Glow", model)
    monkeypatch.setattr(glow_tf.export, "export_model", lambda model, *_: shown.append(model))
    monkeypatch.setattr(demo_session, "DemoSession", lambda model, *_, **__: shown.append(model) or StubSession())
    return {
        "resume": lambda path: (resume(trainer, path)[0], Run(path).experiment()),
        "evaluate": lambda path: evaluated(path, False),
        "evaluate --ema": lambda path: evaluated(path, True),
        "last weights": lambda path: (Run.open(path).model("last").get_weights(), None),
        "last EMA weights": lambda path: (Run.open(path).model("last", ema=True).get_weights(), None),
        "export": exported,
        "page": opened,
    }


class StubSession:
    data_error = None


@pytest.mark.parametrize("name", READS)
def test_damaged_file_is_refused_warned_of_or_harmless(name, uses, finished, tmp_path):
    use, path, outcomes = uses[name], tmp_path / "run", {}
    whole = use(finished)

    def check(files, damage):
        shutil.copytree(finished, path)
        for file in files:
            damage(path / file)
        result, caught = outcome(lambda: use(path))
        if result is not None and not caught:
            assert same(result[0], whole[0]) and result[1] == whole[1], (files, damage)
        shutil.rmtree(path)
        return "refused" if result is None else "warned" if caught else "harmless"

    for file in sorted(READS[name]):
        # One flip of what other cases flip too: the newest checkpoint; the configuration, for the other commands.
        few = "ckpt-0" in file or "ckpt-2" in file or (file == "config.json" and name not in ("resume", "evaluate"))
        flips = [functools.partial(flip_bit, share=share) for share in (FLIPS[1:2] if few else FLIPS)]
        outcomes[file] = {check([file], damage) for damage in (*DAMAGES, *flips)}
    for damage in (DAMAGES[0], DAMAGES[-1]):
        assert check(FILES - READS[name], damage) == "harmless", "a command reads files that it should not need"
    assert "refused" in outcomes["config.json"]
    if name == "resume":
        assert not any("refused" in outcomes[file] for file in READS[name] - {"config.json"}), "it goes on without"
        assert "warned" in outcomes["metrics.csv"] and "warned" in outcomes["checkpoints/ckpt-4.index"]
    else:
        (weights,) = READS[name] - {"config.json"}
        assert "refused" in outcomes[weights]


def test_no_bit_of_the_configuration_changes_silently(finished, damaged):
    experiment, config = Run(finished).experiment(), damaged / "config.json"
    content, refused = config.read_bytes(), 0
    for position in range(0, len(content), 3):
        config.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        result, caught = outcome(Run(damaged).experiment)
        assert caught or result in (None, experiment), config.read_bytes()[position - 40 : position + 40]
        refused += result is None
    assert refused > len(content) / 30


def test_lost_list_of_checkpoints_costs_nothing(damaged, trainer):
    for damage in (empty, replace_by_garbage):
        damage(damaged / "checkpoints" / "checkpoint")
        with pytest.warns(UserWarning, match="checkpoint is missing or damaged; the checkpoints beside it are used"):
            assert resume(trainer, damaged)[1] == 4
    (damaged / "checkpoints" / "checkpoint").unlink()
    with pytest.warns(UserWarning, match="is missing or damaged"):
        again = train(damaged)
    assert again.state.steps == 4 and len(again.table.rows()) == 2


def test_run_goes_on_without_its_list_of_checkpoints_and_keeps_the_latest(damaged):
    (damaged / "checkpoints" / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-99"')
    longer = dataclasses.replace(EXPERIMENT, training=dataclasses.replace(EXPERIMENT.training, epochs=5))
    with pytest.warns(UserWarning, match="is missing or damaged"):
        again = train(damaged, experiment=longer, keep_checkpoints=2)
    assert again.state.checkpoints.steps() == [8, 10]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2, 3, 4, 5]


def test_results_without_a_checkpoint_are_refused_and_stay(damaged, trainer):
    shutil.rmtree(damaged / "checkpoints")
    before = {p: p.read_bytes() for p in damaged.rglob("*") if p.is_file()}
    with pytest.raises(RunError, match=r"holds results \(weights/best.*, metrics.csv\) and no checkpoint to go on"):
        resume(trainer, damaged)
    assert {p: p.read_bytes() for p in damaged.rglob("*") if p.is_file()} == before


def test_checkpoints_that_cannot_be_read_are_not_to_be_removed(damaged, trainer):
    for path in (damaged / "checkpoints").glob("*.index"):
        path.write_bytes(b"nothing")
    error_of_all = pytest.raises(RunError, match="none of the 3 checkpoints in .* another")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all as error:
        resume(trainer, damaged)
    assert "remove" not in str(error.value)


def test_checkpoint_with_weights_that_are_not_finite_is_left_out(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    trainer = StubTrainer(tmp_path / "run")
    trainer.restore()
    variables = {
        "flow/step_0_0/actnorm/b": trainer.state.model.trainable_variables[0],
        "first_moment": trainer.state.optimizer.first_moments[1],
        "EMA of flow/step_0_0/actnorm/b": trainer.state.ema.shadows[0],
    }
    for name, variable in variables.items():
        good = variable.numpy()
        variable.assign(np.full_like(good, np.inf))
        trainer.state.counters.step.assign(4)
        trainer.state.checkpoints.save()
        with pytest.warns(UserWarning, match=f"ckpt-4 is damaged and left out .the weight .*{name}.* is not finite"):
            assert trainer.restore() and trainer.state.steps == 2
    for path in trainer.run.checkpoints.glob("ckpt-[02].*"):
        path.unlink()
    error_of_all = pytest.raises(RunError, match="damaged or not finite, or of another")
    with pytest.warns(UserWarning, match="is damaged and left out"), error_of_all:
        trainer.restore()


@pytest.mark.parametrize("name", ["checkpoints", "weights"])
def test_file_in_the_place_of_a_folder_is_one_sentence(name, damaged, trainer):
    shutil.rmtree(damaged / name)
    (damaged / name).write_text("")
    with pytest.raises(RunError, match=f"cannot write .*{name}: a part of the path is a file, not a folder"):
        resume(trainer, damaged)


def test_second_training_of_a_folder_is_refused(damaged, trainer):
    with claimed(Run(damaged)), pytest.raises(RunError, match="run is in use by process"):
        resume(trainer, damaged)


def test_missing_best_weights_are_named(damaged):
    (damaged / "weights" / "best.weights.h5").unlink()
    with pytest.warns(UserWarning, match=r"best.weights.h5 is missing; last.weights.h5 is taken"):
        Run.open(damaged).model()


def test_edited_configuration_of_the_model_is_refused(damaged):
    config = damaged / "config.json"
    config.write_text(config.read_text().replace('"bits": 4', '"bits": 5'))
    message = r"weights.h5 was written with another configuration than config.json has now: bits 5, not 4"
    with pytest.raises(RunError, match=message):
        Run.open(damaged).model()
    five_bits = dataclasses.replace(EXPERIMENT, model=dataclasses.replace(EXPERIMENT.model, bits=5))
    with pytest.raises(RunError, match=message):
        StubTrainer(damaged, five_bits).restore()
    config.write_text(
        config.read_text().replace('"bits": 5', '"bits": 4').replace('"recompute": null', '"recompute": true')
    )
    Run.open(damaged).model()


def test_training_without_a_restore_goes_on_from_the_checkpoint(damaged):
    again = StubTrainer(damaged)
    again.train()
    assert again.state.steps == 4 and again.state.checkpoints.steps() == [0, 2, 4]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2]


def test_damaged_checkpoint_is_moved_aside_before_training_goes_on(damaged, monkeypatch, recwarn):
    """Metrics are cut back to the older one, so a later start must not go on from the newer one."""
    data = damaged / "checkpoints" / "ckpt-4.data-00000-of-00001"
    content = data.read_bytes()
    empty(data)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CountingStep, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            train(damaged)
    assert "ckpt-4 is damaged and left out" in str(recwarn.pop(UserWarning).message)
    assert str(recwarn.pop(UserWarning).message).endswith("checkpoints/ckpt-4 is now damaged-ckpt-4")
    names = {path.name for path in (damaged / "checkpoints").glob("*ckpt-4*")}
    assert names == {"damaged-ckpt-4.index", "damaged-ckpt-4.data-00000-of-00001"}
    data.with_name(f"damaged-{data.name}").write_bytes(content)  # the disk reads it again
    again = train(damaged)
    assert again.state.checkpoints.steps() == [0, 2, 4]
    assert [row["epoch"] for row in again.table.rows()] == [1, 2]
    recwarn.clear()
    assert train(damaged).restored and not recwarn.list


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (tf.errors.ResourceExhaustedError, tf.errors.ResourceExhaustedError, "reason"),
        *((error, RunError, "cannot read .*ckpt-4 now: reason. Run the same command") for error in UNAVAILABLE_ERRORS),
    ],
)
def test_checkpoint_that_cannot_be_read_now_is_not_passed_over(error, raised, message, damaged, trainer, monkeypatch):
    def fail(_):
        raise error(None, None, "reason")

    point(trainer, damaged)
    monkeypatch.setattr(trainer.state.checkpoints.checkpoint, "restore", fail)
    with pytest.raises(raised, match=message):
        trainer.restore()


def test_index_that_the_disk_does_not_give_now_is_not_passed_over(damaged, trainer):
    index = damaged / "checkpoints" / "ckpt-4.index"
    index.unlink()
    index.symlink_to("/proc/self/mem")  # whose first byte cannot be read
    with pytest.raises(RunError, match="cannot read .*ckpt-4 now: Input/output error. Run the same command"):
        resume(trainer, damaged)
    assert index.is_symlink(), "it stays where it is"
