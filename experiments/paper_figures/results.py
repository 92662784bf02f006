"""The results of finished runs: a file with one line of JSON per run."""

import json

from glow_tf.errors import RunError
from glow_tf.io import write_text


class Results:
    """The rows of finished runs; `rows` is the list of them, dictionaries.

    Args:
        path: JSON lines file; it need not exist.

    Raises:
        RunError: the file is damaged.
    """

    def __init__(self, path):
        self.path = path
        try:
            self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        except ValueError as error:
            raise RunError(f"{path} is damaged ({error}); move it away.") from error

    def missing(self, runs):
        """Return the runs without a row of exactly their experiment."""
        finished = [row["experiment"] for row in self.rows]
        return [run for run in runs if experiment_as_json(run.experiment) not in finished]

    def rows_of(self, runs):
        """Return the rows with the name and seed of one of the runs."""
        keys = {(run.name, run.seed) for run in runs}
        return [row for row in self.rows if (row["name"], row["seed"]) in keys]

    def add(self, row):
        """Add a row, instead of an earlier one of the same name and seed, and write the file."""
        key = row["name"], row["seed"]
        self.rows = [r for r in self.rows if (r["name"], r["seed"]) != key] + [row]
        write_text(self.path, "".join(json.dumps(r) + "\n" for r in self.rows))


def experiment_as_json(experiment):
    """Return an `Experiment` as a row holds it: a dictionary of what JSON can hold."""
    return json.loads(json.dumps(experiment.to_dict()))
