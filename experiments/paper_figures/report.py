"""The report: tables of bits/dim and of the paired comparisons, as Markdown."""

import numpy as np

from experiments.paper_figures.experiments import COUPLINGS, PERMUTATIONS, parse_depth
from experiments.paper_figures.significance import (
    CONFIDENCE,
    HOLDS,
    NOT_SIGNIFICANT,
    REVERSED,
    ablation_claims,
    compare,
    depth_claims,
    final_values,
    mean_and_error,
)


def format_report(rows):
    """Return the report of the rows of the results as Markdown."""
    final, final_ema = final_values(rows), final_values(rows, "validation_average")
    depth_names = [name for name in final if parse_depth(name)]
    ablation = [compare(final, *claim) for claim in ablation_claims()]
    ablation_ema = [compare(final_ema, *claim) for claim in ablation_claims()]
    depth = [compare(final, *claim) for claim in depth_claims(depth_names)]
    parts = [
        ["**Ablation.** With raw weights, " + format_conclusion(ablation)],
        _ablation_table(final),
        _comparison_table(ablation),
        ["With EMA weights, " + format_conclusion(ablation_ema)],
        ["**Depth.** " + format_conclusion(depth)],
        _depth_table(final, depth_names, {row["name"]: row["parameters"] for row in rows}),
        _comparison_table(depth),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def format_conclusion(comparisons):
    """Return one sentence that counts the claims that hold and names the others."""
    failed = {
        outcome: [f"{c.better} < {c.worse}" for c in comparisons if c.outcome == outcome]
        for outcome in (NOT_SIGNIFICANT, REVERSED)
    }
    count = sum(c.outcome == HOLDS for c in comparisons)
    sentence = f"{count} of {len(comparisons)} inequalities hold at {CONFIDENCE:.0%}"
    exceptions = [f"{outcome}: {', '.join(claims)}" for outcome, claims in failed.items() if claims]
    return f"{sentence}; {'; '.join(exceptions)}." if exceptions else f"{sentence}."


def _ablation_table(final):
    lines = ["| bits/dim, " + _seed_count(final, PERMUTATIONS[0]) + " | additive | affine |", "|---|---|---|"]
    for permutation in PERMUTATIONS:
        values = (_mean_with_error(final[f"{permutation} {coupling}"]) for coupling in COUPLINGS)
        lines.append(f"| {permutation} | {' | '.join(values)} |")
    return lines


def _depth_table(final, names, parameters):
    lines = ["| bits/dim, " + _seed_count(final, "L=") + " | validation | parameters |", "|---|---|---|"]
    for name in names:
        lines.append(f"| {name} | {_mean_with_error(final[name])} | {parameters[name]:,} |")
    return lines


def _comparison_table(comparisons):
    lines = [f"| claim | paired difference | {CONFIDENCE:.0%} interval | outcome |", "|---|---|---|---|"]
    for c in comparisons:
        interval = ""
        if not np.isnan(c.half_width):
            interval = f"{c.mean - c.half_width:.3f} to {c.mean + c.half_width:.3f}"
        lines.append(f"| {c.better} < {c.worse} | {_plus_minus(c.mean, c.error)} | {interval} | {c.outcome} |")
    return lines


def _seed_count(final, start):
    """Return the number of seeds of the configurations whose names begin with `start`, in words."""
    counts = {len(seeds) for name, seeds in final.items() if name.startswith(start)}
    return f"{' or '.join(map(str, sorted(counts)))} seed{'s' if counts != {1} else ''}"


def _mean_with_error(values_by_seed):
    return _plus_minus(*mean_and_error(list(values_by_seed.values())))


def _plus_minus(mean, error):
    return f"{mean:.3f}" if np.isnan(error) else f"{mean:.3f} ± {error:.3f}"
