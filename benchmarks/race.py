"""Compare implementations: they alternate at the same tasks, each in a process that waits while the others run."""

import json
import statistics
import subprocess
import tempfile

from benchmarks import processes

TASKS = ("train", "train_average", "log_prob", "sample")
PRODUCTS = ("tensorflow products", "torch products", "numpy products")


class Worker:
    """An implementation in a process of its own.

    Args:
        name: name of the implementation.
        work: a `Work`.
    """

    def __init__(self, name, work):
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed with the worker
        self._process = processes.start("worker", name, work.to_json(), stdin=subprocess.PIPE, stderr=self._errors)
        self.versions = self._read_answer()

    def _read_answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise processes.ChildError(f"{self.name} failed:\n{processes.last_lines(self._errors.read())}")
        return json.loads(line)

    def run(self, task, repeats):
        """Run a task several times; return the seconds of each."""
        self._process.stdin.write(f"{task} {repeats}\n")
        self._process.stdin.flush()
        return self._read_answer()

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


def race(names, work, tasks, products=PRODUCTS, rounds=5, repeats=3, warm_up=2):
    """Time implementations at the same tasks.

    In every round each implementation runs each task, and so do the matrix products that utilization is relative to:
    when the machine is slow for a minute, all are affected alike.

    Args:
        names: names of the implementations.
        work: a `Work`.
        tasks: names of the tasks.
        products: names of the implementations of the matrix product.
        rounds: number of rounds.
        repeats: runs of a task per round and implementation.
        warm_up: runs of a task before the first round.

    Returns:
        Seconds `{task: {name: [rounds * repeats]}}`, and versions `{package: version}`.
    """
    schedule = [*((task, name) for task in tasks for name in names), *(("products", name) for name in products)]
    workers, seconds, versions = {}, {}, {}
    try:
        for name in (*names, *products):
            workers[name] = Worker(name, work)
            versions.update(workers[name].versions)
        for task, name in schedule:
            workers[name].run(task, warm_up)
        for _ in range(rounds):
            for task, name in schedule:
                seconds.setdefault(task, {}).setdefault(name, []).extend(workers[name].run(task, repeats))
    finally:
        for worker in workers.values():
            worker.close()
    return seconds, versions


def medians(seconds):
    """Return the median of each list, as `{task: {name: median}}`."""
    return {
        task: {name: statistics.median(values) for name, values in by_name.items()} for task, by_name in seconds.items()
    }
