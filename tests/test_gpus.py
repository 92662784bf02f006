"""Test what is said of cards that TensorFlow does not see, with fake device files and messages."""

import fnmatch
import glob
import re
import tomllib
import warnings

import pytest
import tensorflow as tf

from glow_tf import gpus
from glow_tf.cli import command, evaluate, quiet, train
from glow_tf.errors import ConfigError
from glow_tf.gpu_files import card_files, is_cpu_chosen
from glow_tf.training import devices
from helpers.commands import ROOT, call

IMPORT_LINES = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795703597.460892    6290 port.cc:153] oneDNN custom operations are on. You may see different results.
I0000 00:00:1.461533  6290 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
"""
"""What TensorFlow without CUDA libraries writes while it is imported."""

DLOPEN_LINES = """\
W0000 00:00:1741010101.123456     100 gpu_device.cc:2340] Cannot dlopen some GPU libraries. Please make sure the \
missing libraries mentioned above are installed properly if you would like to use GPU.
Skipping registering GPU devices...
"""
"""What it writes when it looks for GPUs."""

CUINIT_LINE = (
    "E0000 00:00:1.2   1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)\n"
)

GPU = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
CARD = ["/dev/nvidia0"]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (IMPORT_LINES, "Could not find cuda drivers on your machine"),
        (IMPORT_LINES + DLOPEN_LINES, "Cannot dlopen some GPU libraries"),
        (IMPORT_LINES + CUINIT_LINE, "Could not find cuda drivers on your machine"),
        (CUINIT_LINE, "failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)"),
        (
            "2026-01-01 00:00:00.01: E x/cuda_driver.cc:265] failed call to cuInit: CUDA_ERROR_NO_DEVICE",
            "NO_DEVICE",
        ),
    ],
)
def test_reason_is_the_telling_line_of_tensorflow(messages, expected):
    assert gpus.reason(messages).endswith(expected) and "]" not in gpus.reason(messages)


def test_card_that_is_seen_or_hidden_or_absent_is_not_reported():
    assert gpus.unseen_card([], [], IMPORT_LINES, {}) is None
    assert gpus.unseen_card(CARD, [GPU], IMPORT_LINES, {}) is None
    for value in ("", "-1", " "):
        assert gpus.unseen_card(CARD, [], IMPORT_LINES, {"CUDA_VISIBLE_DEVICES": value}) is None
        assert is_cpu_chosen({"CUDA_VISIBLE_DEVICES": value})
    assert not is_cpu_chosen({}) and not is_cpu_chosen({"CUDA_VISIBLE_DEVICES": "0"})


def test_card_that_is_not_seen_is_described_in_one_line():
    text = gpus.unseen_card(CARD, [], IMPORT_LINES + DLOPEN_LINES, {})
    seen = "this machine has an NVIDIA card (/dev/nvidia0) that TensorFlow does not see"
    assert text == f"{seen} (Cannot dlopen some GPU libraries)"
    assert "pip install -r requirements-gpu.txt" in gpus.remedy(text)
    text = gpus.unseen_card(["/usr/lib/wsl/lib/libcuda.so"], [], CUINIT_LINE, {"CUDA_VISIBLE_DEVICES": "7"})
    assert "nvidia-smi" in gpus.remedy("(CUDA error: out of memory)")
    assert (
        "(/usr/lib/wsl/lib/libcuda.so)" in text
        and "with CUDA_VISIBLE_DEVICES=7" in text
        and "nvidia-smi" in gpus.remedy(text)
    )


def test_windows_card_of_another_maker_is_none_of_nvidia(monkeypatch):
    for path, count in (("/dev/dxg", 0), ("/usr/lib/wsl/lib/libcuda.so.1", 1)):
        monkeypatch.setattr(glob, "glob", lambda pattern, path=path: fnmatch.filter([path], pattern))
        assert len(card_files()) == count


@pytest.fixture
def unseen(monkeypatch):
    """Pretend that this machine has a card that TensorFlow does not see."""
    monkeypatch.setattr(gpus, "card_files", lambda: CARD)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("list_physical_devices", "get_visible_devices"):
        monkeypatch.setattr(tf.config, name, lambda kind=None: [])
    monkeypatch.setattr(quiet, "import_messages", IMPORT_LINES)
    monkeypatch.setattr(gpus, "look_for_gpus", lambda: "")


def test_command_warns_in_one_line_and_goes_on(unseen, tmp_path):
    with pytest.warns(UserWarning, match="TensorFlow does not see") as seen:
        _, err = call(evaluate.main, evaluate.NAME, tmp_path / "nothing", code=2)
    assert [str(warning.message) for warning in seen] == [
        "this machine has an NVIDIA card (/dev/nvidia0) that TensorFlow does not see (Could not find cuda drivers on "
        "your machine), so it computes on the CPU; pip install -r requirements-gpu.txt installs what is missing."
    ]
    assert "is not a run folder" in err and err.count("\n") == 1


def test_training_warns_by_default_is_silent_on_the_cpu_and_refuses_a_number(unseen):
    with pytest.warns(UserWarning, match="TensorFlow does not see .* computes on the CPU"):
        assert devices.describe(devices.strategy("auto")) == "1 CPU"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert devices.describe(devices.strategy("cpu")) == "1 CPU"
    with pytest.raises(
        ConfigError, match=r"devices: this machine has .*, and --devices 2 asks for GPUs; pip install"
    ) as error:
        devices.strategy("2")
    assert "with CUDA_VISIBLE_DEVICES=-1, --devices 2 makes 2 CPU devices." in str(error.value)


def test_refused_number_of_devices_ends_train_py_before_work(unseen, tmp_path):
    out, err = call(train.main, train.NAME, "--devices", 1, "--run-dir", tmp_path / "run", code=2)
    assert out == "" and err.count("\n") == 1 and "asks for GPUs" in err and not list(tmp_path.iterdir())


def test_every_command_lets_the_memory_of_cards_grow(monkeypatch):
    seen = []
    monkeypatch.setattr(command, "card_files", lambda: CARD)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [GPU])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *arguments: seen.append(arguments))
    command.start_tensorflow()
    assert seen == [(GPU, True)]


class Strategy:
    """Two replicas on GPUs."""

    num_replicas_in_sync = 2

    class extended:  # noqa: N801 (the name of an attribute of TensorFlow's)
        worker_devices = tuple(f"/job:localhost/replica:0/task:0/device:GPU:{i}" for i in range(2))


def test_head_of_a_run_names_the_cards(monkeypatch):
    cards = [tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(3)]
    details = dict(zip(cards, ["NVIDIA A", "NVIDIA A", "NVIDIA B"], strict=True))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: cards)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": details[gpu]})
    assert devices.describe(Strategy()) == "2 GPUs (2 x NVIDIA A)"
    assert gpus.names() == "2 x NVIDIA A, NVIDIA B" and gpus.names([2]) == "NVIDIA B" and gpus.names([]) == ""


def test_requirements_and_extra_for_gpus_have_the_version_of_tensorflow():
    plain, gpu = ((ROOT / name).read_text() for name in ("requirements.txt", "requirements-gpu.txt"))
    version = re.search(r"^tensorflow==(\S+)$", plain, re.MULTILINE)[1]
    assert gpu.splitlines()[1:] == ["-r requirements.txt", f"tensorflow[and-cuda]=={version}"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = project["optional-dependencies"]["gpu"]
    assert extra.replace("[and-cuda]", "") in project["dependencies"]
