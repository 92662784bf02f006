"""Test when signals stop a training, and when they end the process."""

import signal

import pytest

from glow_tf.training import signals
from glow_tf.training.signals import StopSignals


def test_agreed_stop_stays_though_machines_do_not_ask_at_each_step():
    answers = iter([0, signal.SIGTERM, 0])
    stop = StopSignals(lambda received: next(answers))
    with stop.caught():
        for expected in (0, signal.SIGTERM, signal.SIGTERM):
            stop.agree()
            assert stop.agreed == expected
    with stop.caught():
        assert (stop.agreed, stop.received) == (0, 0), "the next training begins anew"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_acts_as_outside_of_a_training(number, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    try:
        stop = StopSignals(int)
        with stop.caught():
            for seconds in (0.0, 0.5):  # one request: `timeout` sends a signal to the process and to its group
                now[0] += seconds
                signal.raise_signal(number)
                assert stop.received == number
            now[0] += 1.0
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)
