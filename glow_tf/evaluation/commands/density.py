"""`bits` and `compare`: what the likelihood says."""

from typing import Annotated

import tyro

from glow_tf import presets
from glow_tf.evaluation import comparison, likelihood
from glow_tf.evaluation.checks import EvaluationError, at_least
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.evaluation.tables import table

SHARED = 256
"""Test images whose bits/dim are divided among the levels."""


def bits(target: Target, draws: int = 8, limit: int | None = None, batch_size: int | None = None):
    """Bits/dim on the test split: raw and averaged weights, standard errors, k-draw bound, shares by level.

    Args:
        draws: Draws of the dequantisation noise, and k of the importance-weighted bound.
        limit: Only the first so many images.
        batch_size: Images at once, by the image size if none is given; the result does not depend on it.
    """
    at_least(1, draws=draws, limit=limit, batch_size=batch_size)
    subject = open_subject(target)
    averages = subject.sets_of_weights
    size = subject.source.size("test")
    originals, labels, _ = subject.arrays("test", min(limit or SHARED, SHARED))
    values, found = {}, {}
    with progress(len(averages) * (draws * min(limit or size, size) + len(originals)), "bits/dim") as bar:
        for name, average in averages.items():
            model = subject.load(average)
            found[name] = likelihood.measure(subject, model, draws=draws, batch_size=batch_size, limit=limit, bar=bar)
            shares = likelihood.by_level(model, originals, subject.labels(labels), bar=bar)
            values[name] = {**found[name].to_dict(), "by_level": shares, "by_level_images": len(originals)}
    rows = [("weights", "bits/dim", "+- draws", "+- images", f"{draws}-draw bound")]
    for name, b in found.items():
        numbers = (b.mean, b.error_over_draws, b.error_over_images, b.importance_weighted)
        rows.append((name, *(f"{v:.4f}" for v in numbers)))
    paper = presets.PAPER_BITS.get(subject.experiment.name) if subject.experiment is not None else None
    if paper:
        values["paper"] = paper
        rows.append(("paper", f"{paper} (raw weights, selected on the test split)", "", "", ""))
    values["variant"] = subject.source.variant or None
    variant = f" ({subject.source.variant})" if subject.source.variant else ""
    print(f"{subject.source.name}{variant}, {subject.test_images}" + (f", the first {limit:,}" if limit else ""))
    print(table(rows))
    print(f"shares of the levels in the bits/dim of the first {len(originals)} images, finest first")
    shapes = ["x".join(map(str, shape)) for shape in model.latent_shapes]
    shares = [[name, *(f"{v:.3f}" for v in values[name]["by_level"])] for name in found]
    print(table([("latents", *shapes), *shares]))
    print(f"numbers: {subject.write_json('bits.json', values)}")


def compare(target: Target, against: Annotated[str, tyro.conf.arg(metavar="SOURCE")], limit: int = 1000):
    """Histograms of the bits/dim of two data sets under the model, and the AUROC of telling them apart by it.

    Args:
        against: The other source, such as tfds:svhn_cropped; its images are resized to the model's.
        limit: Test images of each, at most.
    """
    at_least(1, limit=limit)
    inside = open_subject(target)
    if inside.model.config.classes:
        raise EvaluationError("compare needs an unconditional model: the other data set has no labels of this one's.")
    outside = open_subject(Target(target.path, against, "resize", target.average))
    subjects = (inside, outside)
    with progress(sum(min(limit, s.source.size("test")) for s in subjects), "bits/dim") as bar:
        found = [likelihood.measure(s, inside.model, draws=1, limit=limit, bar=bar) for s in subjects]
    score = comparison.auroc(*(b.values[0] for b in found))
    names = [s.source.name for s in subjects]
    comparison.draw_histograms(
        inside.out / "comparison.png", [(n, b.values[0]) for n, b in zip(names, found, strict=True)]
    )
    rows = [("source", "images", "bits/dim", "+- images")]
    for name, b in zip(names, found, strict=True):
        rows.append((name, f"{b.values.shape[1]:,}", f"{b.mean:.4f}", f"{b.error_over_images:.4f}"))
    print(table(rows))
    print(f"AUROC {score:.3f} (the chance that an image of {against} has more bits/dim; 0.5 cannot tell)")
    print(f"histograms: {inside.out / 'comparison.png'}")
    values = {"auroc": score, "inside": found[0].to_dict(), "against": {"source": names[1], **found[1].to_dict()}}
    print(f"numbers: {inside.write_json('comparison.json', values)}")
