"""The parts of the benchmark: each measures, prints a table and returns its numbers.

TensorFlow is not imported here: the parent process stays small, so that a child's peak memory is its own.
"""

import os
import statistics
import tempfile

from benchmarks import processes, scaling
from benchmarks.implementations.products import OPERATIONS
from benchmarks.race import PRODUCTS, TASKS, Worker, medians
from benchmarks.race import race as run_race
from benchmarks.work import CELEBAHQ, PAPER, SMALL

MAX_START_ROUNDS = 3
START_DEPTHS = (8, 32)
MEMORY_DEPTHS = (8, 16, 32)
MEMORY_BATCHES = (16, 64)
SCALE_DEPTHS = (4, 8, 16, 32)
SCALE_SIZES = (16, 32, 64, 128)

FEED_COUNTS = {32: 10_000, 64: 4_000, 256: 400}
"""Number of images by their size."""
FEED_KINDS = ("npy", "folder, PNG", "folder, JPEG", "tfrecord", "lsun-lmdb", "tfds")

PRECISION_WEIGHTS = {"raw": "raw", "averaged": "ema"}
"""Name of the weights in the results -> key of what `benchmarks.precision` prints."""


def race(args):
    """Training step, log_prob and sampling of a batch, compared with the peers and with the matrix-product rate."""
    work, names = _work(args), ["ours", *args.peers]
    products = [name for name in PRODUCTS if name != "torch products" or "normflows" in args.peers]
    seconds, versions = run_race(names, work, TASKS, products, args.rounds)
    times = medians(seconds)
    rate = max(OPERATIONS / t for t in times.pop("products").values())
    print(f"{'':14}" + "".join(f"{name:>20}" for name in names) + "   ahead of the fastest peer   of the product rate")
    result = {"versions": versions, "work": work.to_json(), "products_gflops": rate / 1e9, "figures": {}}
    for task, by_name in times.items():
        share = work.operations(task) / by_name["ours"] / rate
        ahead = min(by_name[name] for name in args.peers) / by_name["ours"] if args.peers else None
        text = f"{ahead:.2f}x" if ahead else ""
        print(f"{task:14}" + "".join(f"{by_name[n]:18.3f} s" for n in names) + f"{text:>28}{share:22.0%}")
        result["figures"][task] = {"seconds": by_name, "ahead": ahead, "share": share}
    print(f"the machine's float32 matrix products: {rate / 1e9:.0f} Gflop/s")
    print(", ".join(f"{package} {version}" for package, version in versions.items()))
    return result


def start(args):
    """Seconds from the start of a process to its first finished training step, in parts; for the peers in total."""
    work, result = _work(args), {}
    for depth in (1,) if args.small else START_DEPTHS:
        measured = [processes.result("start", depth) for _ in range(min(args.rounds, MAX_START_ROUNDS))]
        parts = {name: statistics.median(seconds[name] for seconds in measured) for name in measured[0]}
        print(f"K={depth}: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items()))
        result[f"K={depth}"] = parts
        for name in args.peers:
            parts[name] = processes.result("first_step", name, work.deeper(depth).to_json())
            print(f"      {name}: total {parts[name]:.1f}")
    return result


def memory(args):
    """Peak memory of training against K and batch, with and without recomputation: MiB, and MB per image."""
    work, result = _work(args), {}
    fewest, most = MEMORY_BATCHES
    for depth in (1,) if args.small else MEMORY_DEPTHS:
        for recompute in (False, True):
            peaks = {
                batch: processes.result("memory", work.deeper(depth, batch).to_json(), recompute, False)["training_mib"]
                for batch in MEMORY_BATCHES
            }
            growth = (peaks[most] - peaks[fewest]) * 2**20 / 1e6 / (most - fewest)
            name = f"K={depth}" + (", recomputed" if recompute else "")
            result[name] = {**{f"batch_{batch}_mib": peak for batch, peak in peaks.items()}, "mb_per_image": growth}
            text = ", ".join(f"batch {batch} {peak:7,.0f} MiB" for batch, peak in peaks.items())
            print(f"{name:18} {text}, {growth:5.1f} MB per image")
    return result


def large(args):
    """Training step at batch 1 and a sample of the largest model: 256x256, L=6, K=32, width 512, additive, 5 bits."""
    measured = processes.result("memory", (SMALL if args.small else CELEBAHQ).to_json(), True, True)
    for name, value in measured.items():
        print(f"  {name:16} {value:,.1f}")
    return measured


def scale(args):
    """Seconds of a training step against K and against pixels, with a least-squares line."""
    work, series = _work(args), {}
    depths, sizes = ((1, 2, 3), (8, 16, 24)) if args.small else (SCALE_DEPTHS, SCALE_SIZES)
    works_by_variable = {
        "K": {depth: work.deeper(depth) for depth in depths},
        "pixels": {size**2: work.larger(size) for size in sizes},
    }
    for variable, works in works_by_variable.items():
        times = {x: _step_seconds(work, args.rounds) for x, work in works.items()}
        slope, offset, r_squared = scaling.line(list(times), list(times.values()))
        print(f"{variable:7}" + ", ".join(f"{x:,}: {t:.3f} s" for x, t in times.items()))
        print(f"       {slope * 1e3:.3g} ms each and {offset * 1e3:.0f} ms; the line explains {r_squared:.2%}")
        series[variable] = {"seconds": times, "slope": slope, "offset": offset, "r_squared": r_squared}
    scaling.draw(args.out / "scaling.png", series)
    print(f"picture: {args.out / 'scaling.png'}")
    return series


def _step_seconds(work, repeats):
    """Return the median seconds of our training step, after warm-up."""
    worker = Worker("ours", work)
    worker.run("train", 2)
    seconds = statistics.median(worker.run("train", repeats))
    worker.close()
    return seconds


def bfloat16(args):
    """Validation bits/dim, computed in float32, after training with bfloat16 in the coupling networks.

    Training is chaotic: other rounding or another seed gives another result. So bfloat16 is compared with float32 over
    several seeds, one per round, and the standard deviation over seeds is reported too.
    """
    options = ["--preset", "digits"]
    if args.small:
        options = "--epochs 1 --epoch-steps 2 --depth 1 --width 8".split()
    measured = {"float32": [], "bfloat16": []}
    for seed in range(args.rounds):
        for dtype, runs in measured.items():
            runs.append(processes.result("precision", *options, "--seed", seed, "--network-dtype", dtype))
    result = {}
    for weights, key in PRECISION_WEIGHTS.items():
        values = {dtype: [run[key] for run in runs] for dtype, runs in measured.items()}
        differences = [b - a for a, b in zip(values["float32"], values["bfloat16"], strict=True)]
        result[weights] = {**values, "difference": statistics.mean(differences)}
        text = f"{key:10}float32 {statistics.mean(values['float32']):.4f}"
        text += f"  bfloat16 {result[weights]['difference']:+.4f}"
        if args.rounds > 1:
            result[weights]["standard_error"] = statistics.stdev(differences) / args.rounds**0.5
            text += f" +- {result[weights]['standard_error']:.4f}"
            text += f"  seeds {statistics.stdev(values['float32']):.4f}"
        print(text)
    return result


def feed(args):
    """Images/s that the data pipeline delivers: first pass, later passes, on one core and on all, and disk used."""
    result, cores = {}, sorted({1, len(os.sched_getaffinity(0))})
    counts = {16: 200} if args.small else {size: FEED_COUNTS[size] for size in args.sizes}
    for size, count in counts.items():
        for kind in FEED_KINDS:
            with tempfile.TemporaryDirectory() as folder:
                processes.result("feeding", "make", kind, size, count, folder)
                rows = {n: processes.result("feeding", "measure", kind, size, n, folder) for n in cores}
            text = ", ".join(
                f"{n} cores: first {r['first']:,.0f}/s, later {r['later']:,.0f}/s" for n, r in rows.items()
            )
            most = rows[cores[-1]]
            gain, disk = most["later"] / rows[1]["later"], most["cache_bytes"] / count
            print(f"{size:4} px {kind:14}{text}, {gain:.2f}x, {disk / 1e3:.1f} kB of disk an image", flush=True)
            result[f"{size} px, {kind}"] = {"images": count, "by_cores": rows}
    return result


def _work(args):
    return SMALL if args.small else PAPER


PARTS = {part.__name__: part for part in (race, start, memory, large, scale, bfloat16, feed)}
