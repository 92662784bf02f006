"""Test which devices train, by option; `test_replicas.py` tests what several of them compute."""

import json

import pytest
import tensorflow as tf

from glow_tf.config import RunOptions
from glow_tf.errors import ConfigError
from glow_tf.training import devices, session


@pytest.fixture
def gpus(monkeypatch):
    """Set how many GPUs there are and how many of them are visible; record strategies instead of making them."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name in ("MirroredStrategy", "OneDeviceStrategy", "MultiWorkerMirroredStrategy"):
        monkeypatch.setattr(tf.distribute, name, lambda *args, name=name: (name, *args))

    def see(count, visible=None):
        cards = [tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(count)]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: cards)
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: cards[:visible])

    return see


def test_by_default_every_visible_gpu_trains(gpus):
    gpus(4)
    assert devices.strategy() == ("MirroredStrategy",)
    gpus(1)
    assert devices.strategy() == ("OneDeviceStrategy", "GPU:0")
    gpus(0)
    assert devices.strategy() == ("OneDeviceStrategy", "CPU:0")


def test_gpus_that_the_process_has_hidden_do_not_train(gpus):
    gpus(4, visible=1)
    assert devices.strategy() == ("OneDeviceStrategy", "GPU:0")
    with pytest.raises(ConfigError, match=r"devices: expected 1 to 1 \(GPUs seen\), got 2"):
        devices.strategy("2")
    gpus(4, visible=0)
    assert devices.strategy() == ("OneDeviceStrategy", "CPU:0")


def test_devices_option_selects_the_strategy(gpus, monkeypatch):
    gpus(4)
    assert devices.strategy("cpu") == ("OneDeviceStrategy", "CPU:0")
    assert devices.strategy("2") == ("MirroredStrategy", ["GPU:0", "GPU:1"])
    with pytest.raises(ConfigError, match=r"devices: expected 1 to 4 \(GPUs seen\), got 5"):
        devices.strategy("5")
    with pytest.raises(ConfigError, match="devices: expected auto, cpu or a number, got 'gpu'"):
        devices.strategy("gpu")


def test_several_machines_train_together_where_tf_config_has_addresses(gpus, monkeypatch):
    gpus(4)
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["one:7000", "two:7000"]}, "task": task}))
    assert devices.strategy() == ("MultiWorkerMirroredStrategy",)
    with pytest.raises(ConfigError, match=r"expected auto or cpu where TF_CONFIG describes machines, .* got 1"):
        devices.strategy("1")
    for values in ({}, {"cluster": {}}, {"task": {"type": "worker", "index": 1}}):
        monkeypatch.setenv("TF_CONFIG", json.dumps(values))
        assert devices.strategy("2") == ("MirroredStrategy", ["GPU:0", "GPU:1"])


def test_gpus_are_hidden_from_a_training_on_the_cpu(gpus, monkeypatch):
    gpus(2)
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *arguments: hidden.append(arguments))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *_: None)
    session.set_up(RunOptions(devices="2"))
    assert not hidden
    session.set_up(RunOptions(devices="cpu"))
    assert hidden == [([], "GPU")]
