"""Test the learning rate over the steps; `test_course.py` compares it with the original's."""

import pytest

from glow_tf.config import TrainingConfig
from glow_tf.training.schedule import WarmUp
from glow_tf.training.state import make_optimizer


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
