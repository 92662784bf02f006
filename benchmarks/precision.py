"""Last validation bits/dim of a training by `train.py`, of the raw and of the EMA weights.

`python -m benchmarks.precision OPTION...` prints them as JSON; the options are those of `train.py`.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile


def main(*options):
    """Train in a temporary run folder and print the last validation bits/dim."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        subprocess.run([sys.executable, "train.py", "--run-dir", str(run), *options], check=True, capture_output=True)
        with open(run / "metrics.csv", newline="") as file:
            last = list(csv.DictReader(file))[-1]
    print(json.dumps({"raw": float(last["val_bits_x"]), "ema": float(last["val_bits_x_average"])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
