"""How fast and how small Glow is here, beside other implementations. See README.md beside this file."""

import argparse
import json
import os
import pathlib
import sys
import time

from benchmarks import machine
from benchmarks.parts import PARTS
from benchmarks.processes import ChildError


def main(arguments):
    args = parse(arguments)
    here = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in here.items()))
    path = args.out / "results.json"
    for name in PARTS if "all" in args.parts else args.parts:
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        keep(path, name, {"date": time.strftime("%Y-%m-%d"), "machine": here, **PARTS[name](args)})
    print(f"\nnumbers: {path}")


def parse(arguments):
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    about = "; ".join(f"{name}: {part.__doc__.splitlines()[0]}" for name, part in PARTS.items())
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "all"], default=["race"], metavar="PART", help=about)
    parser.add_argument("--peers", nargs="*", default=["tfp.bijectors.Glow", "normflows"], help="in race and start")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every side (default 5)")
    parser.add_argument("--small", action="store_true", help="tiny work, to see that all of it runs; no result")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/benchmarks"), help="folder of results")
    args = parser.parse_args(arguments)
    if args.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {args.rounds}.")
    return args


def keep(path, name, result):
    """Puts one part's result into the file of results, beside those of other parts."""
    stored = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps({**stored, name: result}, indent=1) + "\n")
    os.replace(temporary, path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ChildError as error:
        sys.exit(f"benchmarks: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
