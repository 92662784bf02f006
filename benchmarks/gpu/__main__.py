"""Measure Glow on a GPU: each result is one line of JSON, written at once, with card, versions and date.

    python -m benchmarks.gpu --parts rates step --depth 32 --batches 64 256 --out results.jsonl

Several processes may run side by side: they compile at once, and time one after another. A part that fails leaves a
line with its error, and the next part runs. `--small` tries the script itself on a CPU.
"""

import json
import pathlib
import time
import traceback

from experiments.command import Parser

GLOW_TF_COMMAND = True  # a quiet start, as of train.py, see glow_tf/cli/quiet.py

DTYPES, FORMS = ("float32", "bfloat16"), ("xla", "unrolled", "graph")


def parse(arguments, names):
    """Parse the words of a command line."""
    parser = Parser("python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--depth", type=int, default=32, help="flow steps a level, K (default 32)")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256], help="batch sizes (default 64 256)")
    about = "dtypes of the coupling networks: float32, bfloat16 (default both)"
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES, metavar="DTYPE", help=about)
    about = "forms of the training step: xla, unrolled, graph (default xla)"
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=["xla"], metavar="FORM", help=about)
    parser.add_argument("--calls", type=int, default=20, help="calls of which the median is taken (default 20)")
    parser.add_argument("--small", action="store_true", help="tiny work that only tests the benchmark itself")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/benchmarks/gpu.jsonl"), help="file")
    args = parser.parse_args(arguments)
    if (least := min(args.depth, args.calls, *args.batches)) < 1:
        parser.error(f"--depth, --calls, --batches: expected at least 1, got {least}.")
    return args


def main(arguments):
    """Run the parts that a command line names."""
    from glow_tf.cli.command import start_tensorflow

    start_tensorflow()
    from benchmarks.gpu import parts

    args = parse(arguments, list(parts.PARTS))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    parts.set_up_card()
    about = parts.describe_card()
    print(json.dumps(about), flush=True)
    with args.out.open("a") as file:
        for name in args.parts:
            for row in rows_of(name, parts.PARTS[name], args):
                print(json.dumps(row), flush=True)
                file.write(json.dumps({**row, **about}) + "\n")
                file.flush()


def rows_of(name, part, args):
    """Yield the rows of a part, and one with the error if it fails."""
    start = time.monotonic()
    try:
        for row in part(args):
            yield {"part": name, "at": round(time.monotonic() - start, 1), **row}
    except Exception as error:  # any: the other parts still count
        traceback.print_exc()
        yield {"part": name, "error": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    from glow_tf.cli.command import run_command

    run_command(main, "python -m benchmarks.gpu")
