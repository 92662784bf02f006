"""What came out: paired differences over seeds, and whether the paper's order holds."""

import dataclasses
from itertools import pairwise

import numpy as np
import scipy.stats

from docs.figures.cells import COUPLINGS, PERMUTATIONS, depth_name, depth_of

CONFIDENCE = 0.95
HOLDS, NOISE, REVERSED = "comes out", "within the noise", "the other way round"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Of `better < worse` in bits/dim: the mean of `worse - better` over the seeds that both have.

    Args:
        error: standard error of the mean; NaN of one seed.
        half: half the width of the confidence interval by Student's t.
    """

    better: str
    worse: str
    mean: float
    error: float
    half: float

    @property
    def outcome(self):
        """`HOLDS` or `REVERSED` if the interval excludes 0; else, and of one seed, `NOISE`."""
        if not abs(self.mean) > self.half:  # NaN included
            return NOISE
        return HOLDS if self.mean > 0 else REVERSED


def mean_and_error(values):
    """The mean and its standard error; that of one value is NaN."""
    values = np.asarray(values)
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return values.mean(), error


def compare(last, better, worse):
    """The `Comparison` of two configurations, from the table of `last_values`."""
    seeds = sorted(last[better].keys() & last[worse].keys())
    mean, error = mean_and_error([last[worse][s] - last[better][s] for s in seeds])
    factor = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, max(len(seeds) - 1, 1))
    return Comparison(better, worse, mean, error, factor * error)


def last_values(rows, key="validation"):
    """`{name: {seed: validation bits/dim after the last step}}`; `key` is "validation_average" for averaged weights."""
    last = {}
    for row in rows:
        last.setdefault(row["name"], {})[row["seed"]] = row[key][-1]
    return last


def ablation_claims():
    """`(better, worse)` of the paper's figure 3: 1x1 < shuffle < reverse in either coupling, and affine < additive."""
    best_first = PERMUTATIONS[::-1]
    claims = [(f"{a} {coupling}", f"{b} {coupling}") for coupling in COUPLINGS for a, b in pairwise(best_first)]
    return claims + [(f"{permutation} affine", f"{permutation} additive") for permutation in best_first]


def depth_claims(names):
    """`(deeper, shallower)` of neighbours that differ in K or in L only."""
    by_levels = sorted(depth_of(name) for name in names)
    by_depth = sorted(by_levels, key=lambda size: size[::-1])
    along_k = [(b, a) for a, b in pairwise(by_levels) if a[0] == b[0]]
    along_l = [(b, a) for a, b in pairwise(by_depth) if a[1] == b[1]]
    return [(depth_name(*deeper), depth_name(*shallower)) for deeper, shallower in along_k + along_l]


def conclusion(comparisons):
    """One sentence, with every claim that did not come out named."""
    named = {
        outcome: [f"{c.better} < {c.worse}" for c in comparisons if c.outcome == outcome]
        for outcome in (NOISE, REVERSED)
    }
    held = len(comparisons) - sum(map(len, named.values()))
    failed = [f"{outcome}: {', '.join(claims)}" for outcome, claims in named.items() if claims]
    start = f"{held} of {len(comparisons)} inequalities come out"
    return f"{start}; {'; '.join(failed)}." if failed else f"{start}: the whole order."


def report(rows):
    """All of it as Markdown, from the rows of results."""
    last = last_values(rows)
    parameters = {row["name"]: row["parameters"] for row in rows}
    depths = [name for name in last if depth_of(name)]
    ablation = [compare(last, *claim) for claim in ablation_claims()]
    averaged = last_values(rows, "validation_average")
    of_averages = conclusion([compare(averaged, *claim) for claim in ablation_claims()])
    depth = [compare(last, *claim) for claim in depth_claims(depths)]
    text = ["**The order of the ablation.** " + conclusion(ablation), ""]
    text += ["| bits/dim, " + _seeds(last, PERMUTATIONS[0]) + " | additive | affine |", "|---|---|---|"]
    for permutation in PERMUTATIONS:
        cells = (_plus_minus(*mean_and_error(list(last[f"{permutation} {c}"].values()))) for c in COUPLINGS)
        text.append(f"| {permutation} | {' | '.join(cells)} |")
    text += ["", *_comparisons(ablation), ""]
    text += ["Of the averaged weights: " + of_averages, ""]
    text += ["**Depth.** " + conclusion(depth), ""]
    text += ["| bits/dim, " + _seeds(last, "L=") + " | validation | parameters |", "|---|---|---|"]
    for name in depths:
        value = _plus_minus(*mean_and_error(list(last[name].values())))
        text.append(f"| {name} | {value} | {parameters[name]:,} |")
    return "\n".join([*text, "", *_comparisons(depth), ""])


def _comparisons(comparisons):
    lines = [f"| claim | paired difference | {CONFIDENCE:.0%} interval | |", "|---|---|---|---|"]
    for c in comparisons:
        interval = "" if np.isnan(c.half) else f"{c.mean - c.half:.3f} to {c.mean + c.half:.3f}"
        lines.append(f"| {c.better} < {c.worse} | {_plus_minus(c.mean, c.error)} | {interval} | {c.outcome} |")
    return lines


def _seeds(last, start):
    counts = {len(seeds) for name, seeds in last.items() if name.startswith(start)}
    return f"{' or '.join(map(str, sorted(counts)))} seed{'s' if counts != {1} else ''}"


def _plus_minus(mean, error):
    return f"{mean:.3f}" if np.isnan(error) else f"{mean:.3f} ± {error:.3f}"
