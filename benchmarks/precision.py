"""Trains by `train.py`: `OPTION...` prints the last validation bits/dim, of the raw and of the averaged weights."""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile


def main(*options):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        subprocess.run([sys.executable, "train.py", "--run-dir", str(run), *options], check=True, capture_output=True)
        with open(run / "metrics.csv", newline="") as file:
            last = list(csv.DictReader(file))[-1]
    print(json.dumps({"raw": float(last["val_bits_x"]), "averaged": float(last["val_bits_x_average"])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
