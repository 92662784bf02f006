"""Start programs as forks of one process that has imported the library, which spares each of them its imports.

A `Fork` is for tests of the work of a program. Where its start is the subject (what it imports and shows, and Ctrl-C
meanwhile), and for a program that must do without the library, take `subprocess`. Other systems than Linux cannot make
a fork of another process a child of this one; there the programs are new processes.
"""

import atexit
import ctypes
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]

SET_CHILD_SUBREAPER = 36
"""Number of Linux's `prctl` that makes this process the parent of descendants whose parent has ended."""


class Fork:
    """A process that does what a Python command does, with the methods of `subprocess.Popen`.

    Its environment, folder, arguments and signal handlers are those of a new process; both outputs are kept in files.

    Args:
        command: words of a command line: `sys.executable`, then a script, or `-m` and a module.
        env: the environment variables, as a mapping.
        cwd: the working folder.
    """

    def __init__(self, command, env, cwd=ROOT):
        self.command, self.returncode = [str(word) for word in command], None
        self.files = [tempfile.TemporaryFile() for _ in ("stdout", "stderr")]  # noqa: SIM115
        if sys.platform != "linux":
            self.process = subprocess.Popen(self.command, env=env, cwd=cwd, stdout=self.files[0], stderr=self.files[1])
            self.pid = self.process.pid
            return
        request = {"command": self.command, "env": dict(env), "cwd": str(cwd)}
        server = connect()
        socket.send_fds(server, [json.dumps(request).encode()], [file.fileno() for file in self.files])
        self.pid = int(server.recv(100) or 0)
        assert self.pid and server.recv(100) == b"adopted", "the process that is forked has ended"

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout=300):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
                raise subprocess.TimeoutExpired(self.command, timeout, *self.output())
            time.sleep(0.005)
        return self.returncode

    def communicate(self, timeout=300):
        self.wait(timeout)
        return self.output()

    def output(self):
        """Return what was written so far to stdout and to stderr."""
        return tuple(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode() for file in self.files)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@functools.cache
def connect():
    """Start the process that is forked; return the socket that takes requests and gives process numbers."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    env |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}  # as after the quiet start of a command
    words = [sys.executable, "-m", "helpers.fork_server", str(its.fileno())]
    process = subprocess.Popen(words, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[its.fileno()])
    its.close()

    def end():
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
