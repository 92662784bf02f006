"""A quiet start of the commands. Only the standard library is imported here.

TensorFlow writes lines to file descriptor 2 while it is imported, which no environment variable and no `sys.stderr`
holds back, and errors about a missing GPU driver later. A library must not hide them from its user. A command of this
project may, in its own process, and only where there is no GPU: where there is one, every line is shown.
"""

import contextlib
import glob
import itertools
import os
import re
import sys

GPU_DEVICES = ("/dev/nvidia[0-9]*", "/dev/nvhost-gpu", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA's GPUs, on a Jetson, of AMD's, and under Windows."""


@contextlib.contextmanager
def quiet_import(active=True):
    """Hide what is written to file descriptor 2 within the context; exceptions are still raised.

    Args:
        active: False does nothing.
    """
    if not active or any(map(glob.glob, GPU_DEVICES)):
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def is_command():
    """Return whether this process was started as a command of this project.

    That is `python -m glow_tf.NAME`, or a script that sets `GLOW_TF_COMMAND = True` before it imports `glow_tf`
    (`train.py`, `evaluate.py`). Another program that imports `glow_tf` is not one, however it was started.
    """
    if getattr(sys.modules.get("__main__"), "GLOW_TF_COMMAND", False):
        return True
    if sys.argv[:1] != ["-m"]:  # what it is while Python imports the package of a `-m` command
        return False
    for word, following in itertools.pairwise([*sys.orig_argv[1:], ""]):
        option = re.fullmatch(r"-[bBdEiIOPqRsSuvx]*m(.*)", word)  # may be joined with flags, or with the module
        if option:
            return (option[1] or following).split(".")[0] == "glow_tf"
    return False
