"""Test that a run folder with a lost or damaged file is refused, or used with a warning: never silently and wrongly."""

import contextlib
import dataclasses
import functools
import shutil
import warnings

import numpy as np
import pytest

import glow_tf.export
from glow_tf import Glow, runs
from glow_tf.cli import export
from glow_tf.demo import session as demo_session
from glow_tf.errors import GlowError, RunError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.runs import Run
from glow_tf.training.run_folder import claimed
from helpers.damage import DAMAGES, flip_bit
from helpers.damaged_runs import FILES, READS, resume
from helpers.marks import slow_but
from helpers.stub_training import EXPERIMENT, StubTrainer

FLIPS = (0.1, 0.45, 0.8)
"""Shares of a file's length at which a bit is flipped."""


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


@pytest.mark.parametrize("name", slow_but(["evaluate"], READS))
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


def test_results_without_a_checkpoint_are_refused_and_stay(damaged, trainer):
    shutil.rmtree(damaged / "checkpoints")
    before = {p: p.read_bytes() for p in damaged.rglob("*") if p.is_file()}
    with pytest.raises(RunError, match=r"holds results \(weights/best.*, metrics.csv\) and no checkpoint to go on"):
        resume(trainer, damaged)
    assert {p: p.read_bytes() for p in damaged.rglob("*") if p.is_file()} == before


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
