"""Reproduce small versions of the paper's figures: train the missing runs, draw, and report the comparisons."""

import os

os.environ["TQDM_DISABLE"] = "1"  # no progress bars: several processes write to one screen

if __name__ == "__main__":
    from experiments.command import run_script

    run_script(__spec__.name)

import concurrent.futures
import multiprocessing
import pathlib
import time

from experiments.command import Parser
from experiments.paper_figures import report, worker
from experiments.paper_figures.experiments import SIZES, all_runs
from experiments.paper_figures.results import Results
from glow_tf.io import write_text

NAME = "python -m experiments.paper_figures"


def train_missing(runs, results, folder, workers):
    """Train the runs that have no row yet, several at a time; rows are added as runs finish.

    Args:
        runs: list of `TrainingRun`.
        results: a `Results`.
        folder: folder of the run folders.
        workers: number of processes.
    """
    missing = results.missing(runs)
    print(f"{len(runs) - len(missing)} of {len(runs)} runs are finished")
    if not missing:
        return
    start = time.monotonic()
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, worker.prepare_process)
    try:
        futures = [pool.submit(worker.train, run, folder) for run in missing]
        for count, future in enumerate(concurrent.futures.as_completed(futures), 1):
            row = future.result()
            if row is None:
                raise KeyboardInterrupt
            results.add(row)
            print(
                f"{count}/{len(missing)}  {row['name']}, seed {row['seed']}: validation {row['validation'][-1]:.4f} "
                f"bits/dim  ({(time.monotonic() - start) / 60:.1f} minutes)"
            )
    finally:
        pool.shutdown(cancel_futures=True)


def parse(arguments):
    """Parse the words of a command line."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of every configuration: 0, 1, ... (default 3)")
    parser.add_argument("--workers", type=int, default=2, help="runs trained at a time, one thread each (default 2)")
    parser.add_argument("--size", choices=SIZES, default="small", help="tiny only tests that everything runs")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/figures"), help="folder to write")
    args = parser.parse_args(arguments)
    for name in ("seeds", "workers"):
        if getattr(args, name) < 1:
            parser.error(f"--{name}: expected at least 1, got {getattr(args, name)}.")
    return args


def main(arguments):
    """Run the command; return the exit code."""
    from experiments.paper_figures import figures  # first: a package that it lacks is a sentence, before hours of work

    args = parse(arguments)
    runs = all_runs(SIZES[args.size], args.seeds)
    results = Results(args.out / "results.jsonl")
    folder = args.out / "cells"  # the name under which earlier versions left runs to resume
    train_missing(runs, results, folder, args.workers)
    rows = results.rows_of(runs)
    text = report.format_report(rows)
    figures.draw_all(rows, runs, folder, args.out)
    write_text(args.out / "report.md", text)
    print(text)
    print(f"figures and results: {args.out}")
    return 0
