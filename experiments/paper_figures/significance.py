"""Paired comparisons of configurations over seeds, and the comparisons that the paper's figures claim."""

import dataclasses
from itertools import pairwise

import numpy as np
import scipy.stats

from experiments.paper_figures.experiments import COUPLINGS, PERMUTATIONS, depth_name, parse_depth

CONFIDENCE = 0.95
HOLDS, NOT_SIGNIFICANT, REVERSED = "holds", "not significant", "reversed"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The claim `better < worse` in bits/dim by `worse - better` over the seeds that both have.

    Args:
        better: name of the configuration claimed to have fewer bits/dim.
        worse: name of the other.
        mean: mean of the paired differences, bits/dim.
        error: standard error of the mean; NaN for a single seed.
        half_width: half the width of the confidence interval by Student's t.
    """

    better: str
    worse: str
    mean: float
    error: float
    half_width: float

    @property
    def outcome(self):
        """`HOLDS` or `REVERSED` if the interval excludes 0; else, and for a single seed, `NOT_SIGNIFICANT`."""
        if not abs(self.mean) > self.half_width:  # NaN included
            return NOT_SIGNIFICANT
        return HOLDS if self.mean > 0 else REVERSED


def final_values(rows, key="validation"):
    """Return bits/dim after the last step as `{name: {seed: value}}`.

    Args:
        rows: rows of the results.
        key: "validation", or "validation_average" for the EMA weights.
    """
    final = {}
    for row in rows:
        final.setdefault(row["name"], {})[row["seed"]] = row[key][-1]
    return final


def mean_and_error(values):
    """Return the mean of values and its standard error, which is NaN for a single value."""
    values = np.asarray(values)
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return values.mean(), error


def compare(final, better, worse):
    """Return the `Comparison` of two configurations.

    Args:
        final: `{name: {seed: bits/dim}}`, see `final_values`.
        better, worse: names of the configurations.
    """
    seeds = sorted(final[better].keys() & final[worse].keys())
    mean, error = mean_and_error([final[worse][s] - final[better][s] for s in seeds])
    factor = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, max(len(seeds) - 1, 1))
    return Comparison(better, worse, mean, error, factor * error)


def ablation_claims():
    """Return `(better, worse)` of figure 3: 1x1 < shuffle < reverse for either coupling, and affine < additive."""
    best_first = PERMUTATIONS[::-1]
    claims = [(f"{a} {coupling}", f"{b} {coupling}") for coupling in COUPLINGS for a, b in pairwise(best_first)]
    return claims + [(f"{permutation} affine", f"{permutation} additive") for permutation in best_first]


def depth_claims(names):
    """Return `(deeper, shallower)` of the depth runs that differ by one step in K, or in L, only."""
    by_levels = sorted(parse_depth(name) for name in names)
    by_depth = sorted(by_levels, key=lambda size: size[::-1])
    along_k = [(b, a) for a, b in pairwise(by_levels) if a[0] == b[0]]
    along_l = [(b, a) for a, b in pairwise(by_depth) if a[1] == b[1]]
    return [(depth_name(*deeper), depth_name(*shallower)) for deeper, shallower in along_k + along_l]
