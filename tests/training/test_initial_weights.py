"""Test that a training starts from the weights of another run or of a file, and that its folder says which."""

import dataclasses
import shutil

import numpy as np
import pytest

from glow_tf import Glow, model_files
from glow_tf.cli import train as train_command
from glow_tf.config import DataConfig, RunOptions, SplitRecord
from glow_tf.errors import ConfigError, RunError
from glow_tf.runs import Run
from glow_tf.training import initial_weights
from glow_tf.training.fitting_weights import check_shapes
from glow_tf.training.initial_weights import load_initial_weights
from helpers.commands import call_train
from helpers.stub_training import EXPERIMENT, StubTrainer

IMAGES = (np.arange(2 * 64).reshape(2, 8, 8, 1) * 5 % 256).astype(np.uint8)
NOISE = np.full(IMAGES.shape, 0.5, np.float32)


class FineTuning(StubTrainer):
    """A stub of a training that must not initialize from data."""

    def initialize_from_data(self):
        raise AssertionError("initialized from data")


@pytest.fixture
def tuned(tiny_run):
    """Return the experiment of a stub training of the model of `tiny_run`, of one epoch of two steps."""
    training = dataclasses.replace(EXPERIMENT.training, epochs=1)
    return dataclasses.replace(EXPERIMENT, model=Run(tiny_run).experiment().model, training=training)


def assert_same(weights, others):
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(weight, other)


def start(path, experiment, source, **options):
    """Make a trainer that has loaded its first weights; return it."""
    trainer = FineTuning(path, experiment, init_from=str(source), **options)
    assert not trainer.restore()
    return trainer


@pytest.mark.slow
def test_training_starts_from_a_run_its_ema_weights_and_files(tiny_run, tuned, tmp_path):
    source = Run(tiny_run)
    raw, ema = source.model(), source.model(ema=True)
    raw.save(tmp_path / "a.keras")
    sources = [(tiny_run, False, raw), (tiny_run, True, ema), (tmp_path / "a.keras", False, raw)]
    sources.append((source.weights_path("best", ema=True), False, ema))
    digests = []
    for i, (path, use_ema, model) in enumerate(sources):
        trainer = start(tmp_path / f"run{i}", tuned, path, init_ema=use_ema)
        trainer.initialize()
        assert_same(trainer.state.model.get_weights(), model.get_weights())
        assert_same([v.numpy() for v in trainer.state.ema.shadows], [v.numpy() for v in model.trainable_variables])
        assert int(trainer.state.optimizer.iterations) == trainer.state.steps == 0
        digests.append(trainer.experiment.initial_weights.digest)
    assert digests[0] == digests[2] != digests[1] == digests[3]


@pytest.mark.slow
def test_run_records_its_first_weights_and_resumes_without_them(tiny_run, tuned, tmp_path, monkeypatch):
    source, path = shutil.copytree(tiny_run, tmp_path / "source"), tmp_path / "run"
    start(path, tuned, source).train()
    record = Run(path).experiment().initial_weights
    assert record.path == str(source) and len(record.digest) == 64
    first = Run(source).model().trainable_variables[0].numpy()
    np.testing.assert_allclose(Run(path).model("last").trainable_variables[0].numpy(), first + 2, rtol=1e-6)
    shutil.rmtree(source)
    for options in ({}, {"init_from": str(source)}):
        trainer = FineTuning(path, tuned, **options)
        assert trainer.restore() and trainer.experiment.initial_weights == record
    for options in ({"init_from": str(tiny_run)}, {"init_from": str(source), "init_ema": True}):
        with pytest.raises(ConfigError, match=f"started from the weights of {source}, not from the .*weights of "):
            FineTuning(path, tuned, **options)
    monkeypatch.chdir(tmp_path)
    assert train_command.parse(["--init-from", "source", "--run-dir", "run"])[0].initial_weights == record
    other = tmp_path / "other"
    Run(other).write_config(EXPERIMENT)
    with pytest.raises(ConfigError, match="from an initialization from data, not from the weights of"):
        FineTuning(other, init_from=str(tiny_run))


@pytest.mark.slow
def test_run_without_a_checkpoint_starts_again_from_the_same_weights_only(tiny_run, tuned, tmp_path):
    source, path = shutil.copytree(tiny_run, tmp_path / "source"), tmp_path / "run"
    killed = start(path, tuned, source)
    killed.run.write_config(killed.experiment)
    again = FineTuning(path, tuned)
    assert not again.restore()
    assert_same(again.state.model.get_weights(), killed.state.model.get_weights())
    shutil.copy(Run(source).weights_path(ema=True), Run(source).weights_path())
    with pytest.raises(RunError, match="source holds other weights than when the run was started from them"):
        again.restore()


def test_digest_of_another_run_does_not_bind_a_new_one(tiny_run, tuned, tmp_path):
    """An experiment that is read from a run's folder has the digest of the weights that this run started from."""
    source = shutil.copytree(tiny_run, tmp_path / "source")
    first = start(tmp_path / "run", tuned, source)
    first.run.write_config(first.experiment)
    shutil.copy(Run(source).weights_path(ema=True), Run(source).weights_path())
    second = FineTuning(tmp_path / "second", Run(tmp_path / "run").experiment())
    assert not second.restore()
    assert_same(second.state.model.get_weights(), Run(source).model().get_weights())
    assert second.experiment.initial_weights.digest != first.experiment.initial_weights.digest


@pytest.mark.slow
def test_bits_size_classes_and_the_top_prior_may_differ(tiny_run, tiny_conditional_run, tuned, tmp_path):
    source = Run(tiny_run).model()
    record = initial_weights.InitialWeights(str(tiny_run))

    def load(record=record, **model):
        config = dataclasses.replace(tuned.model, **model)
        target = Glow(config)
        load_initial_weights(target, record)
        return target

    for model in (dict(bits=8), dict(image_shape=(16, 24, 1)), dict(init_seed=3)):
        assert_same(load(**model).get_weights(), source.get_weights())
    with pytest.warns(UserWarning, match="weights of flow/prior/embedding, classifier start at zero: it has none"):
        conditional = load(classes=3, weight_y=0.1)
    bits = conditional.bits_per_dim(IMAGES, [2, 0], noise=NOISE)
    np.testing.assert_allclose(bits, source.bits_per_dim(IMAGES, noise=NOISE), rtol=1e-6)
    with pytest.warns(UserWarning, match="weights of flow/prior/conv are left out: this model has none"):
        load(learn_top=False)
    ten = initial_weights.InitialWeights(str(tiny_conditional_run))
    with pytest.warns(UserWarning, match="weights of classifier are left out") as warned:
        load(ten, classes=3)
    assert "weights of flow/prior/embedding start at zero: it has none of that shape" in str(warned[0].message)
    same = load(ten, classes=10, weight_y=0.5)
    assert_same(same.get_weights(), Run(tiny_conditional_run).model().get_weights())


@pytest.mark.slow
def test_labels_that_meant_other_classes_are_named(tiny_conditional_run, tuned, tmp_path, recwarn):
    source = Run(shutil.copytree(tiny_conditional_run, tmp_path / "source"))
    theirs = source.experiment()
    data = dataclasses.replace(tuned.data, labels=True)
    experiment = dataclasses.replace(tuned, model=theirs.model, data=data)
    for i, names in enumerate((None, tuple("0123456789"), tuple("0213456789"))):
        record = SplitRecord("position", 0, classes=names)
        source.write_config(dataclasses.replace(theirs, data=dataclasses.replace(theirs.data, split_record=record)))
        assert not recwarn.list
        start(tmp_path / f"run{i}", experiment, source.path)
    (warning,) = recwarn.list
    assert f"{source.path}: label 1 was 2 there and is 1 here" in str(warning.message)


@pytest.mark.slow
def test_weights_of_another_model_are_refused_by_name(tiny_run, tuned, tmp_path):
    record = initial_weights.InitialWeights(str(tiny_run))
    changes = {
        "width 8 there, 9 here": dict(width=9),
        "depth 1 there, 2 here; coupling affine there, additive here": dict(depth=2, coupling="additive"),
        "scale sigmoid there, exp here": dict(scale="exp"),
        "permutation 1x1 there, reverse here": dict(permutation="reverse"),
        "image channels 1 there, 3 here": dict(image_shape=(8, 8, 3)),
    }
    for message, change in changes.items():
        with pytest.raises(RunError, match=f"{tiny_run} has weights of another model: {message}. Give the same"):
            load_initial_weights(Glow(dataclasses.replace(tuned.model, **change)), record)
    ours = {"flow/a/W": (2, 3), "flow/b/W": (4,)}
    message = r"its weights differ in flow/a/W \(\(3, 2\) there, \(2, 3\) here\), flow/b/W \(missing there"
    with pytest.raises(RunError, match=message):
        check_shapes(record, {"flow/a/W": (3, 2)}, ours, ())


@pytest.mark.slow
def test_source_that_is_no_source_is_one_sentence(tiny_run, tuned, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "a.weights.h5").write_bytes(b"nothing")
    messages = {
        tmp_path / "notes.txt": "is no run folder and no .keras or .weights.h5 file",
        tmp_path / "nothing": "there is no such run folder, .keras or .weights.h5 file, and no such preset",
        tmp_path / "a.weights.h5": "does not hold the weights of such a model: .*damaged",
        tmp_path: "is not a run folder",
        "cifar10": "no weights of the preset cifar10 come with this glow_tf; give a run folder, or",
    }
    for source, message in messages.items():
        with pytest.raises(RunError, match=message):
            start(tmp_path / "run", tuned, source)
    with pytest.raises(RunError, match="holds one set of weights, and no EMA weights besides"):
        start(tmp_path / "run", tuned, Run(tiny_run).weights_path(), init_ema=True)
    with pytest.raises(ConfigError, match="init_ema: give init_from"):
        RunOptions(init_ema=True)
    _, err = call_train("--init-from", "cifar11", "--run-dir", tmp_path / "run", code=2)
    assert err.count("\n") == 1 and "Did you mean cifar10?" in err and not (tmp_path / "run").exists()
    monkeypatch.setattr(model_files, "PACKAGED_WEIGHTS", tmp_path)
    shutil.copy(Run(tiny_run).weights_path(), tmp_path / "cifar10.weights.h5")
    trainer = start(tmp_path / "run", tuned, "cifar10")
    assert trainer.experiment.initial_weights.path == "cifar10"
    assert_same(trainer.state.model.get_weights(), Run(tiny_run).model().get_weights())


@pytest.mark.slow
def test_command_without_a_preset_takes_the_configuration_of_the_weights(tiny_conditional_run, tmp_path):
    run = Run(tiny_conditional_run)
    experiment, options, _ = train_command.parse(["--init-from", str(run.path), "--source", "bundled:mnist"])
    assert experiment.model == run.experiment().model and experiment.training == run.experiment().training
    assert experiment.data == DataConfig("bundled:mnist", labels=True) and experiment.name == "custom"
    assert options.init_from == str(run.path)
    run.model().save(tmp_path / "a.keras")
    for path in (run.weights_path(), tmp_path / "a.keras"):
        assert train_command.parse(["--init-from", str(path)])[0].model == run.experiment().model
