"""`samples` and `reconstruct`: sheets of images, and numbers beside them."""

import numpy as np

from glow_tf.evaluation import batched, neighbours, reconstruction
from glow_tf.evaluation.checks import at_least, finite
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.pictures import TEMPERATURES, save_png, sheet

CLASSES = 20
"""Rows of a sheet by class at most."""


def samples(
    target: Target,
    columns: int = 10,
    rows: int = 4,
    temperatures: tuple[float, ...] = TEMPERATURES,
    seed: int = 0,
):
    """A sheet of samples per temperature, by class where conditional; and their nearest training images.

    Labels act through the top prior alone, as in the original.

    Args:
        columns: Samples in a row.
        rows: Rows of a sheet; a conditional model has one for each class instead, at most 20.
        temperatures: One sheet each, and a row of the overview.
        seed: Another seed, other samples; the same latents at every temperature.
    """
    at_least(1, columns=columns, rows=rows)
    at_least(0, seed=seed)
    finite("temperatures", temperatures)
    subject = open_subject(target)
    model, classes = subject.model, min(subject.model.config.classes, CLASSES)
    if classes:
        names, labels = subject.source.class_names[:classes], np.repeat(np.arange(classes), columns)
        shown = np.arange(columns) % classes * columns + np.arange(columns)
    else:
        names, labels, shown = [""] * rows, None, np.arange(columns)
    count = len(names) * columns
    with progress(2 * len(temperatures) * count, "sampling") as bar:
        drawn = {t: batched.sample(model, count, t, labels, seed, bar) for t in temperatures}
        bits = {t: batched.bits_per_dim(model, images, labels, seed, bar) for t, images in drawn.items()}
    known = subject.arrays("train", neighbours.search_limit(model.config.dims))[0]
    near = {t: neighbours.nearest(images, known) for t, images in drawn.items()}
    real = neighbours.nearest(subject.arrays("test", count)[0], known)[1][:, 0]

    save_png(subject.out / "samples.png", sheet({f"{t:g}": drawn[t][shown] for t in drawn}, "samples by temperature"))
    for t, images in drawn.items():
        lines = images.reshape(len(names), columns, *model.image_shape)
        page = sheet(_rows(names, lines), f"temperature {t:g}")
        save_png(subject.out / "samples" / f"temperature_{t:g}.png", page)
    usual = min(drawn, key=lambda t: abs(t - 0.7))
    beside = {"sample": drawn[usual][shown]}
    beside.update({f"nearest {i + 1}": near[usual][0][shown, i] for i in range(near[usual][0].shape[1])})
    title = f"samples at {usual:g}, and the training images nearest to them"
    save_png(subject.out / "nearest.png", sheet(beside, title))

    values, lines = {}, [("temperature", "bits/dim", "grey levels to the nearest training image")]
    for t in drawn:
        distance = float(np.median(near[t][1][:, 0]))
        values[f"{t:g}"] = {"bits_per_dim": float(bits[t].mean()), "distance_to_training": distance}
        lines.append((f"{t:g}", f"{bits[t].mean():.3f}", f"{distance:.1f}"))
    lines.append(("test images", "", f"{np.median(real):.1f}"))
    print(f"{subject.source.name}, {subject.weights}, {count} samples a temperature" + _condition(subject.model))
    print(table(lines))
    print(f"(median root mean square distance to the nearest of {len(known):,} training images)")
    print(f"overview:     {subject.out / 'samples.png'}")
    print(f"sheets:       {subject.out / 'samples' / 'temperature_*.png'}")
    print(f"no copies:    {subject.out / 'nearest.png'}")
    values = {"temperatures": values, "test_distance_to_training": float(np.median(real)), "searched": len(known)}
    print(f"numbers:      {subject.write_json('samples.json', values)}")


def reconstruct(target: Target, images: int = 10, temperature: float = 0.7, seed: int = 0):
    """Originals, reconstructions and the largest error; and what happens as the fine latents are drawn anew.

    Args:
        images: Images shown and measured.
        temperature: Of the latents drawn anew.
        seed: Of the latents drawn anew.
    """
    at_least(1, images=images)
    at_least(0, seed=seed, temperature=temperature)
    finite("temperature", [temperature])
    subject = open_subject(target)
    originals, labels, _ = subject.arrays("test", images)
    labels, levels = subject.labels(labels), subject.model.config.levels
    with progress((levels + 4) * len(originals), "reconstructing") as bar:
        back, error = reconstruction.reconstruct(subject.model, originals, labels, bar)
        replaced = reconstruction.redraw_levels(subject.model, originals, labels, temperature, seed, bar)
    names = ["none", *(f"finest {i}" for i in range(1, levels)), "all"]
    rows = {
        "image": originals,
        "decoded": back,
        **{f"{n} drawn": r for n, r in zip(names[1:], replaced[1:], strict=True)},
    }
    save_png(subject.out / "reconstructions.png", sheet(rows))
    changes = [float(np.abs(r.astype(float) - back).mean()) for r in replaced]
    print(f"largest error of {len(originals)} images: {error} of 255 grey levels")
    lines = [(name, f"{change:.1f}") for name, change in zip(names, changes, strict=True)]
    print(table([("levels drawn anew", "mean change, grey levels"), *lines]))
    print(f"pictures: {subject.out / 'reconstructions.png'}")
    values = {"largest_error": error, "images": len(originals), "change": dict(zip(names, changes, strict=True))}
    print(f"numbers:  {subject.write_json('reconstructions.json', {**values, 'temperature': temperature})}")


def _condition(model):
    return "; labels act through the top prior alone" if model.config.classes else ""


def _rows(names, lines):
    """Rows of a sheet; classes that share a name, or have none, keep a row each."""
    return {name or " " * (i + 1): line for i, (name, line) in enumerate(zip(names, lines, strict=True))}
