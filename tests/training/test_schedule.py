"""Test the learning rate over the steps and its jumps; `test_course.py` compares it with the original's."""

import dataclasses
import warnings

import pytest

from glow_tf.config import TrainingConfig
from glow_tf.training import session
from glow_tf.training.metrics import training_metrics
from glow_tf.training.schedule import WarmUp
from glow_tf.training.state import make_optimizer
from helpers.stub_training import EXPERIMENT, StubTrainer, train
from helpers.tiny_trainings import options


def test_cosine_schedule_falls_to_zero_at_the_last_step():
    schedule = WarmUp(2.0, 10, 110)
    rates = {0: 0.0, 5: 1.0, 10: 2.0, 35: 2.0 * 0.8535534, 60: 1.0, 110: 0.0, 1000: 0.0}
    for step, rate in rates.items():
        assert float(schedule(step)) == pytest.approx(rate, abs=1e-6), step


def test_constant_schedule_warms_up_and_stays():
    for warmup, rates in ((2.5, {0: 0.0, 1: 0.4, 2: 0.8, 3: 1.0, 10**6: 1.0}), (0, {0: 1.0, 7: 1.0})):
        for step, rate in rates.items():
            assert float(WarmUp(1.0, warmup)(step)) == pytest.approx(rate), (warmup, step)


def test_cosine_schedule_ends_with_the_last_epoch():
    training = TrainingConfig(schedule="cosine", epochs=5, epoch_steps=20, warmup_steps=10, learning_rate=3.0)
    optimizer = make_optimizer(training.anchored((32, 32, 3)))
    optimizer.build([])
    for step, rate in {10: 3.0, 55: 1.5, 100: 0.0}.items():
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(rate, abs=1e-6), step


@pytest.mark.parametrize("name", ["adamax", "adam"])
def test_optimizer_takes_its_options_from_the_configuration(name):
    training = TrainingConfig(optimizer=name, beta1=0.8, beta2=0.7, weight_decay=0.5).anchored((32, 32, 3))
    optimizer = make_optimizer(training)
    assert type(optimizer).__name__.lower() == name
    assert (optimizer.beta1, optimizer.beta2, optimizer.weight_factor) == (0.8, 0.7, 0.5)


@pytest.mark.parametrize(("warmup_steps", "share"), [(16.0, "50%"), (8.0, None)])
def test_training_that_ends_within_its_warm_up_is_named(stubbed, tmp_path, monkeypatch, warmup_steps, share):
    monkeypatch.setattr(StubTrainer, "train", lambda _: 15)
    training = dataclasses.replace(EXPERIMENT.training, epochs=2, epoch_steps=4, warmup_steps=warmup_steps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        session.run(dataclasses.replace(EXPERIMENT, training=training), options(tmp_path / "run"))
    told = [str(w.message) for w in caught if "within the warm-up" in str(w.message)]
    expected = f"the training of 8 steps ends within the warm-up of 16 steps, at {share} of the learning rate; "
    assert [text.startswith(expected) for text in told] == [True] * (share is not None)


@pytest.mark.slow
def test_jump_of_the_learning_rate_is_named_where_more_epochs_stretch_a_cosine_decay(stubbed, tmp_path, monkeypatch):
    def change(**training):
        return dataclasses.replace(EXPERIMENT, training=dataclasses.replace(EXPERIMENT.training, **training))

    for schedule in ("cosine", "constant"):
        train(tmp_path / schedule, experiment=change(schedule=schedule, warmup_steps=1.0))
    monkeypatch.setattr(StubTrainer, "train", lambda _: 15)
    longer = change(schedule="cosine", warmup_steps=1.0, epochs=4)
    with pytest.warns(UserWarning, match=r"2 epochs: .* 4 makes the learning rate jump from 0 to 0\.\d+ at step 4; "):
        session.run(longer, options(tmp_path / "cosine"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        session.run(change(schedule="constant", warmup_steps=1.0, epochs=4), options(tmp_path / "constant"))
        session.run(change(schedule="cosine", warmup_steps=1.0), options(tmp_path / "cosine"))


@pytest.mark.slow
def test_learning_rate_in_the_table_is_that_of_the_last_update(tmp_path):
    training = dataclasses.replace(EXPERIMENT.training, schedule="cosine", warmup_steps=1.0)
    trainer = train(tmp_path / "run", experiment=dataclasses.replace(EXPERIMENT, training=training))
    rates = [row["learning_rate"] for row in trainer.table.rows()]
    assert rates == pytest.approx([float(trainer.state.schedule(step)) for step in (1, 3)], rel=1e-5)
    assert rates[0] == pytest.approx(training.learning_rate, rel=1e-5) and 0 < rates[1] < rates[0]
    fresh = StubTrainer(tmp_path / "fresh").state
    assert training_metrics(fresh, 1, 16, 1.0)["learning_rate"] == 0, "no update was made yet"


@pytest.mark.slow
def test_jump_of_the_learning_rate_is_that_of_the_next_update(tmp_path):
    def experiment(epochs):
        training = dataclasses.replace(EXPERIMENT.training, schedule="cosine", warmup_steps=0.0, epochs=epochs)
        return dataclasses.replace(EXPERIMENT, training=training)

    train(tmp_path / "run", experiment=experiment(2))
    trainer = StubTrainer(tmp_path / "run", experiment(4))
    trainer.restore()
    trainer.state.optimizer.iterations.assign(2)  # two of the four steps were skipped
    rate = EXPERIMENT.training.learning_rate
    with pytest.warns(UserWarning, match=f"from {rate / 2:.3g} to {rate * (0.5 + 0.125**0.5):.3g} at step 4; "):
        session._warn_of_another_learning_rate(trainer)
