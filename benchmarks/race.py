"""The race: sides take turns at the same work, each in a process of its own that waits while the others run."""

import json
import statistics
import subprocess
import tempfile

from benchmarks import processes

FIGURES = ("train", "train_average", "log_prob", "sample")
PRODUCTS = ("tensorflow products", "torch products", "numpy products")


class Worker:
    """A side in its own process."""

    def __init__(self, name, work):
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed with the worker
        self._process = processes.start("worker", name, work.to_json(), stdin=subprocess.PIPE, stderr=self._errors)
        self.versions = self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise processes.ChildError(f"{self.name} failed:\n{processes.last_lines(self._errors.read())}")
        return json.loads(line)

    def run(self, figure, repeats):
        """Seconds of each of so many repeats."""
        self._process.stdin.write(f"{figure} {repeats}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


def race(names, work, figures, products=PRODUCTS, rounds=5, repeats=3, warm_up=2):
    """Seconds `{figure: {name: [rounds * repeats]}}` and versions `{package: version}`.

    In every round each side has its turn at each figure, and so have the matrix products that the shares are counted
    by: a slow minute of the machine falls on all alike.
    """
    turns = [*((figure, name) for figure in figures for name in names), *(("products", name) for name in products)]
    workers, seconds, versions = {}, {}, {}
    try:
        for name in (*names, *products):
            workers[name] = Worker(name, work)
            versions.update(workers[name].versions)
        for figure, name in turns:
            workers[name].run(figure, warm_up)
        for _ in range(rounds):
            for figure, name in turns:
                seconds.setdefault(figure, {}).setdefault(name, []).extend(workers[name].run(figure, repeats))
    finally:
        for worker in workers.values():
            worker.close()
    return seconds, versions


def medians(seconds):
    """`{figure: {name: median}}`."""
    return {f: {name: statistics.median(some) for name, some in sides.items()} for f, sides in seconds.items()}
