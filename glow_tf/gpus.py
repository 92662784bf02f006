"""NVIDIA cards that this machine has and TensorFlow does not see; the memory and the names of those that it sees."""

import collections
import contextlib
import functools
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

from glow_tf.cli import quiet
from glow_tf.gpu_files import card_files, is_cpu_chosen

_LOG_PREFIX = re.compile(r"^(?:[IWEF]\d{4} \S+\s+\d+ |\d{4}-\d\d-\d\d \S+ [IWEF] )\S+?:\d+\] ")
"""Level, time, thread and line of the source code, with which TensorFlow begins a line of its log."""

_REASONS = ("Cannot dlopen some GPU libraries", "Could not find cuda drivers", "failed call to cuInit", "CUDA error")
"""Parts of the lines in which TensorFlow says why it sees no GPU, what is to be mended first before the others."""


def unseen_card(
    files: Sequence[str], gpus: Sequence[object], messages: str = "", environ: Mapping[str, str] = os.environ
) -> str | None:
    """Describe a card that the machine has and TensorFlow does not see, with TensorFlow's reason.

    Args:
        files: device files of cards (see `card_files`).
        gpus: the GPUs that TensorFlow sees.
        messages: the lines that TensorFlow wrote while it was imported and while it looked for GPUs.
        environ: environment variables.

    Returns:
        A sentence without its full stop, or None if there is no such card or the user hides it.
    """
    if not files or gpus or is_cpu_chosen(environ):
        return None
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    setting = "" if visible is None else f", with CUDA_VISIBLE_DEVICES={visible}"
    return f"this machine has an NVIDIA card ({files[0]}) that TensorFlow does not see{setting} ({reason(messages)})"


def reason(messages: str) -> str:
    """Return the line of TensorFlow's log that says why it sees no GPU, without its prefix and its advice.

    Args:
        messages: lines that TensorFlow wrote.
    """
    lines = [_LOG_PREFIX.sub("", line).strip() for line in messages.splitlines()]
    for part in _REASONS:
        for line in lines:
            if part in line:
                return re.split(r"\. |, GPU will not|\.$", line)[0]
    return "it gives no reason" if tf.test.is_built_with_cuda() else "it is built without CUDA"


@functools.cache
def look_for_gpus() -> str:
    """Let TensorFlow look for GPUs, at its first question about them; return what it wrote meanwhile.

    A command does so before anything else, where there is a card: later the lines would be printed.
    """
    messages: list[str] = []
    with quiet.captured_stderr(messages):
        tf.config.list_physical_devices("GPU")
    return "".join(messages)


def let_memory_grow() -> None:
    """Let TensorFlow take the memory of visible GPUs as it needs it; by default it takes all of every card.

    It does nothing once TensorFlow has started to use them.
    """
    with contextlib.suppress(RuntimeError):
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def find_unseen_card() -> str | None:
    """Return `unseen_card` of this machine and this process."""
    files = card_files()
    if not files:
        return None
    messages = quiet.import_messages + look_for_gpus()
    return unseen_card(files, tf.config.list_physical_devices("GPU"), messages)


def warn_of_unseen_card() -> None:
    """Warn, in one line, of a card that TensorFlow does not see, and say what mends it."""
    text = find_unseen_card()
    if text:
        warnings.warn(f"{text}, so it computes on the CPU; {remedy(text)}.", stacklevel=2)


def remedy(text: str) -> str:
    """Return the advice that mends the fault which `unseen_card` describes in `text`."""
    if "cuInit" in text or "CUDA error" in text:
        return "nvidia-smi shows whether the driver works"
    return "pip install -r requirements-gpu.txt installs what is missing"


def names(indices: Iterable[int] | None = None) -> str:
    """Return the names of the visible GPUs, such as "2 x NVIDIA H100 80GB HBM3"; "" without any.

    Args:
        indices: their numbers among TensorFlow's visible ones; None takes all.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if indices is not None:
        gpus = [gpus[i] for i in indices if i < len(gpus)]
    details = (tf.config.experimental.get_device_details(gpu).get("device_name", "unknown") for gpu in gpus)
    counts = collections.Counter(details)
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items())
