"""Description of the machine that the benchmarks run on."""

import os
import pathlib
import platform

RELEVANT_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def describe():
    """Return processor, cores, memory, relevant vector instructions, system and Python as `{name: value}`."""
    info = _cpu_info()
    flags = info.get("flags", "").split()
    return {
        "processor": info.get("model name", platform.processor() or "unknown"),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "instructions": [flag for flag in RELEVANT_INSTRUCTIONS if flag in flags],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _cpu_info():
    path = pathlib.Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = path.read_text().split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
