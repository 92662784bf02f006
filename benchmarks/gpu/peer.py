"""Time normflows' Glow (PyTorch) on a GPU: eager and compiled, in float32, TF32 and bfloat16.

python -m benchmarks.gpu.peer --depth 32 --batches 64 256 --out results.jsonl
"""

import contextlib
import json
import pathlib
import statistics
import time

import torch

from benchmarks.implementations.normflows_glow import NormflowsGlow
from benchmarks.work import PAPER, SMALL
from experiments.command import Parser

PRECISIONS = ("float32", "tf32", "bfloat16")


def main():
    """Print and store a row for each precision, form and batch."""
    parser = Parser("python -m benchmarks.gpu.peer", description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=32, help="flow steps a level, K (default 32)")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256], help="batch sizes (default 64 256)")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="precisions")
    parser.add_argument("--compile", action="store_true", help="by torch.compile instead of eager")
    parser.add_argument("--tasks", nargs="+", default=["train_average", "log_prob", "sample"], help="tasks")
    parser.add_argument("--calls", type=int, default=20, help="calls of which the median is taken (default 20)")
    parser.add_argument("--small", action="store_true", help="tiny work that only tests the benchmark itself")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/benchmarks/gpu.jsonl"), help="file")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    about = {"card": torch.cuda.get_device_name() if device.type == "cuda" else "CPU", "torch": torch.__version__}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a") as file:
        for row in rows(args, device):
            print(json.dumps(row), flush=True)
            file.write(json.dumps({**row, **about, "date": time.strftime("%Y-%m-%d")}) + "\n")
            file.flush()


def rows(args, device):
    """Yield the rows."""
    for batch in args.batches:
        work = SMALL.deeper(1, batch) if args.small else PAPER.deeper(args.depth, batch)
        for precision in args.precisions:
            with _precision(precision, device):
                torch.set_default_device(device)
                peer = NormflowsGlow(work)
                if args.compile:
                    peer.model.forward_kld = torch.compile(peer.model.forward_kld)
                    peer.model.log_prob = torch.compile(peer.model.log_prob)
                for task in args.tasks:
                    row = {"part": "peer", "task": task, "precision": precision, "batch": batch, "depth": work.depth}
                    yield {**row, "compiled": args.compile, **_time(peer, task, args)}


def _time(peer, task, args):
    run = peer.tasks[task]
    start = time.perf_counter()
    try:
        run()
    except Exception as error:  # a peer's failure is a result
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    first = time.perf_counter() - start
    run()
    times = []
    for _ in range(args.calls):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    row = {"first_call_s": round(first, 1), "ms": round(statistics.median(times), 2)}
    if torch.cuda.is_available():
        row["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return row


@contextlib.contextmanager
def _precision(name, device):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
        yield


if __name__ == "__main__":
    main()
