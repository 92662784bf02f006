"""The parts of the benchmark: what each measures, as a table on the screen and as numbers to keep.

TensorFlow is not imported here: the parent stays small, so that a child's peak memory is its own.
"""

import statistics

from benchmarks import processes, scaling
from benchmarks.race import FIGURES, PRODUCTS, Worker, medians
from benchmarks.race import race as run_race
from benchmarks.sides.products import OPERATIONS
from benchmarks.work import CELEBAHQ, PAPER, SMALL


def race(args):
    """A training step, log_prob and sampling of a batch, beside the peers; share of the matrix-product rate."""
    work, names = _work(args), ["ours", *args.peers]
    products = [name for name in PRODUCTS if name != "torch products" or "normflows" in args.peers]
    seconds, versions = run_race(names, work, FIGURES, products, args.rounds)
    times = medians(seconds)
    rate = max(OPERATIONS / t for t in times.pop("products").values())
    print(f"{'':14}" + "".join(f"{name:>20}" for name in names) + "   ahead of the fastest peer   of the product rate")
    result = {"versions": versions, "work": work.to_json(), "products_gflops": rate / 1e9, "figures": {}}
    for figure, sides in times.items():
        share = work.operations(figure) / sides["ours"] / rate
        ahead = min(sides[name] for name in args.peers) / sides["ours"] if args.peers else None
        text = f"{ahead:.2f}x" if ahead else ""
        print(f"{figure:14}" + "".join(f"{sides[n]:18.3f} s" for n in names) + f"{text:>28}{share:22.0%}")
        result["figures"][figure] = {"seconds": sides, "ahead": ahead, "share": share}
    print(f"the machine's float32 matrix products: {rate / 1e9:.0f} Gflop/s")
    print(", ".join(f"{package} {version}" for package, version in versions.items()))
    return result


def start(args):
    """Seconds from the start of a process to its first finished training step, in parts; and of the peers."""
    work, result = _work(args), {}
    for depth in (1,) if args.small else (8, 32):
        found = [processes.result("start", depth) for _ in range(min(args.rounds, 3))]
        result[f"K={depth}"] = parts = {name: statistics.median(f[name] for f in found) for name in found[0]}
        print(f"K={depth}: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items()))
        for name in args.peers:
            result[f"K={depth}"][name] = total = processes.result("first_step", name, work.deeper(depth).to_json())
            print(f"      {name}: total {total:.1f}")
    return result


def memory(args):
    """Peak memory of training at K, batch and with recomputation; MiB, and MB an image."""
    work, result = _work(args), {}
    for depth in (1,) if args.small else (8, 16, 32):
        for recompute in (False, True):
            peaks = [
                processes.result("memory", work.deeper(depth, batch).to_json(), recompute, False)["training_mib"]
                for batch in (16, 64)
            ]
            growth = (peaks[1] - peaks[0]) * 2**20 / 1e6 / 48
            name = f"K={depth}" + (", recomputed" if recompute else "")
            result[name] = {"batch_16_mib": peaks[0], "batch_64_mib": peaks[1], "mb_per_image": growth}
            print(f"{name:18} batch 16 {peaks[0]:7,.0f} MiB, batch 64 {peaks[1]:7,.0f} MiB, {growth:5.1f} MB an image")
    return result


def large(args):
    """256x256, L=6, K=32, width 512, additive, 5 bits: a training step at batch 1, and a sample."""
    found = processes.result("memory", (SMALL if args.small else CELEBAHQ).to_json(), True, True)
    for name, value in found.items():
        print(f"  {name:16} {value:,.1f}")
    return found


def scale(args):
    """Seconds of a training step against K and against pixels, and the line through them."""
    work, series = _work(args), {}
    depths, sizes = ((1, 2, 3), (8, 16, 24)) if args.small else ((4, 8, 16, 32), (16, 32, 64, 128))
    for name, works in (
        ("K", {depth: work.deeper(depth) for depth in depths}),
        ("pixels", {size**2: work.larger(size) for size in sizes}),
    ):
        times = {}
        for x, work in works.items():
            worker = Worker("ours", work)
            worker.run("train", 2)
            times[x] = statistics.median(worker.run("train", args.rounds))
            worker.close()
        slope, offset, explained = scaling.line(list(times), list(times.values()))
        print(f"{name:7}" + ", ".join(f"{x:,}: {t:.3f} s" for x, t in times.items()))
        print(f"       {slope * 1e3:.3g} ms each and {offset * 1e3:.0f} ms; the line explains {explained:.2%}")
        series[name] = {"seconds": times, "slope": slope, "offset": offset, "r_squared": explained}
    scaling.draw(args.out / "scaling.png", series)
    print(f"picture: {args.out / 'scaling.png'}")
    return series


def bfloat16(args):
    """Validation bits/dim after the same training with bfloat16 in the coupling networks, read in float32.

    Training is chaotic: another rounding or another seed ends elsewhere. So the two are compared over several seeds,
    one a round, and the spread over seeds is told too.
    """
    course = "--preset digits".split()
    if args.small:
        course = "--epochs 1 --epoch-steps 2 --depth 1 --width 8".split()
    found = {"float32": [], "bfloat16": []}
    for seed in range(args.rounds):
        for dtype, runs in found.items():
            runs.append(processes.result("precision", *course, "--seed", seed, "--network-dtype", dtype))
    result = {}
    for weights in ("raw", "averaged"):
        ends = {dtype: [run[weights] for run in runs] for dtype, runs in found.items()}
        differences = [b - a for a, b in zip(ends["float32"], ends["bfloat16"], strict=True)]
        result[weights] = {**ends, "difference": statistics.mean(differences)}
        text = f"{weights:10}float32 {statistics.mean(ends['float32']):.4f}"
        text += f"  bfloat16 {result[weights]['difference']:+.4f}"
        if args.rounds > 1:
            result[weights]["standard_error"] = statistics.stdev(differences) / args.rounds**0.5
            text += f" +- {result[weights]['standard_error']:.4f}"
            text += f"  seeds {statistics.stdev(ends['float32']):.4f}"
        print(text)
    return result


def _work(args):
    return SMALL if args.small else PAPER


PARTS = {part.__name__: part for part in (race, start, memory, large, scale, bfloat16)}
