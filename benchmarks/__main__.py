"""Measure speed and memory of Glow, compared with other implementations. See benchmarks/README.md."""

import json
import os
import pathlib
import sys
import time

from benchmarks import machine
from benchmarks.implementations import PEERS
from benchmarks.parts import FEED_COUNTS, PARTS
from benchmarks.processes import ChildError
from experiments.command import Parser

DEFAULT_PEERS = ["tfp.bijectors.Glow", "normflows"]


def main(arguments):
    """Run the parts that a command line names, and store their results."""
    args = parse(arguments)
    description = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in description.items()))
    path = args.out / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    stored_results(path)  # before the measurement, which would be lost
    for name in PARTS if "all" in args.parts else args.parts:
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        store(path, name, {"date": time.strftime("%Y-%m-%d"), "machine": description, **PARTS[name](args)})
    print(f"\nnumbers: {path}")


def parse(arguments):
    """Parse the words of a command line."""
    parser = Parser("python -m benchmarks", description=__doc__)
    about = "; ".join(f"{name}: {part.__doc__.splitlines()[0]}" for name, part in PARTS.items())
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "all"], default=["race"], metavar="PART", help=about)
    about = f"implementations compared in race and start: {', '.join(PEERS)}"
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=DEFAULT_PEERS, metavar="PEER", help=about)
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which each implementation runs (default 5)")
    sizes = list(FEED_COUNTS)
    parser.add_argument("--sizes", type=int, nargs="+", choices=sizes, default=sizes, help="pixels of images in feed")
    parser.add_argument("--small", action="store_true", help="tiny work that only tests the benchmark itself")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/benchmarks"), help="folder of results")
    args = parser.parse_args(arguments)
    if args.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {args.rounds}.")
    return args


def stored_results(path):
    """Return the results in a file, `{part: result}`; an error ends the process."""
    try:
        return json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        sys.exit(f"benchmarks: {path} is damaged ({error}); move it away.")


def store(path, name, result):
    """Write the result of one part to the file of results, and keep those of other parts."""
    stored = stored_results(path)
    # Not glow_tf.io.write_text: importing glow_tf would import TensorFlow into this process.
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps({**stored, name: result}, indent=1) + "\n")
    os.replace(temporary, path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ChildError as error:
        sys.exit(f"benchmarks: {error}")
    except OSError as error:
        sys.exit(f"benchmarks: {error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        sys.exit(130)
