"""Import the library and fork this process for each request: `python -m helpers.fork_server SOCKET`, see `forks`.

This process never starts TensorFlow's runtime, which does not survive a fork. It ends when the socket is closed.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys

import numpy as np

IMPORTED = """glow_tf glow_tf.training.session glow_tf.evaluation.commands glow_tf.convert.openai_glow glow_tf.export
sklearn.datasets matplotlib.pyplot tqdm tyro""".split()
"""Modules without those of the commands, which read at their import how they were started."""

MAX_BYTES = 2**18
"""The greatest size of a request."""


def serve(requests):
    """Fork a process for each request until the socket is closed; return the request in that process, None in this one.

    The process is the child of a child that ends at once, so that Linux makes it a child of the process of the tests.
    """
    while True:
        message, files, *_ = socket.recv_fds(requests, MAX_BYTES, 2)
        if not message:
            return None
        if os.fork():
            os.wait()
            requests.send(b"adopted")
            for file in files:
                os.close(file)
        elif pid := os.fork():
            requests.send(b"%d" % pid)
            os._exit(0)
        else:
            requests.close()
            return {**json.loads(message), "files": files}


def run(command, env, cwd, files):
    """Do in this process what a command does in a new one."""
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    np.random.seed()  # Python's own generator is seeded by the fork
    sys.orig_argv, sys.argv = command, command[1:]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.path[0] = cwd
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
        runpy.run_path(sys.argv[0], run_name="__main__")


def main(number):
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)  # see `pytest_collection_finish`
    request = serve(socket.socket(fileno=number))
    if request is None:
        os._exit(0)  # without freeing what was imported, object by object
    run(**request)


if __name__ == "__main__":
    main(int(sys.argv[1]))
