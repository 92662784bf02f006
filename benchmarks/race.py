"""The race: sides take turns at the same work, each in a process of its own that waits while the others run."""

import json
import os
import statistics
import subprocess
import sys

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_WAIT_POLICY": "PASSIVE",  # a process that waits does not spin
    "KMP_BLOCKTIME": "0",
}


class Worker:
    """A side in its own process."""

    def __init__(self, name, work, environment=()):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, work.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT, **dict(environment)},
        )
        self.versions = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the process ended with {self.process.wait()}; run its side alone to see.")
        return json.loads(line)

    def run(self, figure, repeats):
        """Seconds of each of so many repeats."""
        self.process.stdin.write(f"{figure} {repeats}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def race(names, work, figure, rounds=5, repeats=2, warm_up=2, say=print):
    """Seconds `{name: [rounds * repeats]}` of a figure, the sides in turn in every round."""
    workers = [Worker(name, work) for name in names]
    try:
        for worker in workers:
            worker.run(figure, warm_up)
        seconds = {worker.name: [] for worker in workers}
        for _ in range(rounds):
            for worker in workers:
                seconds[worker.name] += worker.run(figure, repeats)
    finally:
        for worker in workers:
            worker.close()
    medians = {name: statistics.median(some) for name, some in seconds.items()}
    say(f"{figure:14}" + "  ".join(f"{name} {median:.3f} s" for name, median in medians.items()))
    return seconds
