"""Device files of the GPUs of a machine, whatever TensorFlow sees of them. Only the standard library is imported."""

import glob
import os
from collections.abc import Mapping

CARD_FILES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/proc/driver/nvidia/gpus/*", "/usr/lib/wsl/lib/libcuda.so*")
"""Files of NVIDIA's driver, the last under Windows' WSL, whose /dev/dxg is there with any maker's card."""


def card_files() -> list[str]:
    """Return the files that say that this machine has an NVIDIA card, sorted by pattern."""
    return [path for pattern in CARD_FILES for path in sorted(glob.glob(pattern))]


def is_cpu_chosen(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether CUDA_VISIBLE_DEVICES hides all cards, so that the CPU is the user's choice."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    return value is not None and (not value.strip() or value.strip().startswith("-"))
