"""Reproduces the figures: trains what is missing, then draws, and says what came out."""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import time

# A quiet start, see glow_tf/quiet.py, and no bars: two processes write to one screen.
os.environ.update(GLOW_TF_COMMAND="1", TQDM_DISABLE="1")

from docs.figures import cells as cells_
from docs.figures import draw, verdict
from glow_tf.errors import run_command


def train_missing(cells, results, runs, workers, say=print):
    """Trains the cells that have no row yet, several at a time; the rows come in as cells end."""
    missing = results.missing(cells)
    say(f"{len(cells) - len(missing)} of {len(cells)} cells are finished")
    if not missing:
        return
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, cells_.prepare_process)
    try:
        futures = [pool.submit(cells_.train, cell, runs) for cell in missing]
        for count, future in enumerate(concurrent.futures.as_completed(futures), 1):
            row = future.result()
            if row is None:
                raise KeyboardInterrupt
            results.add(row)
            say(
                f"{count}/{len(missing)}  {row['name']}, seed {row['seed']}: validation {row['validation'][-1]:.4f} "
                f"bits/dim  ({(time.monotonic() - began) / 60:.1f} minutes)"
            )
    finally:
        pool.shutdown(cancel_futures=True)


def main(arguments):
    parser = argparse.ArgumentParser("docs.figures", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="of every configuration: 0, 1, ... (default 3)")
    parser.add_argument("--workers", type=int, default=2, help="cells trained at a time, a thread each (default 2)")
    parser.add_argument("--size", choices=cells_.SIZES, default="small", help="tiny only shows that all of it runs")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/figures"), help="folder of everything")
    args = parser.parse_args(arguments)
    for name in ("seeds", "workers"):
        if getattr(args, name) < 1:
            parser.error(f"--{name}: expected at least 1, got {getattr(args, name)}.")
    size = cells_.SIZES[args.size]
    cells = cells_.all_cells(size, args.seeds)
    results = cells_.Results(args.out / "results.jsonl")
    train_missing(cells, results, args.out / "cells", args.workers)
    wanted = {(cell.name, cell.seed) for cell in cells}
    rows = [row for row in results.rows if (row["name"], row["seed"]) in wanted]
    text = verdict.report(rows)
    draw.everything(rows, cells, args.out)
    (args.out / "verdict.md").write_text(text)
    print(text)
    print(f"figures and results: {args.out}")
    return 0


if __name__ == "__main__":
    run_command(main, "docs.figures")
