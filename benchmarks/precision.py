"""Trains by `train.py`: `OPTION...` prints the validation bits/dim of the last epoch."""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile

from benchmarks.processes import since_start


def main(*options):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        subprocess.run([sys.executable, "train.py", "--run-dir", str(run), *options], check=True, capture_output=True)
        with open(run / "metrics.csv", newline="") as file:
            last = list(csv.DictReader(file))[-1]
    print(json.dumps({"bits_per_dim": float(last["val_bits_x"]), "seconds": since_start()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
