"""`attributes`: directions in latent space from labels or tags, applied to test images, and judged."""

from typing import Literal

import numpy as np

from glow_tf import animation
from glow_tf.attributes import METHODS, load_attributes
from glow_tf.evaluation import acting, batched, tagged
from glow_tf.evaluation.checks import EvaluationError, at_least, finite
from glow_tf.evaluation.judge import LIMIT, Judge
from glow_tf.evaluation.progress import progress
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.pictures import enlarged, grid, save_png, sheet

SHOWN = 10
"""Attributes shown if none are named."""
FRAMES = 16
"""Frames of an animation from the least strength to the greatest."""


def attributes(
    target: Target,
    names: tuple[str, ...] = (),
    folders: tuple[str, ...] = (),
    load: str | None = None,
    save: str | None = None,
    method: Literal["means", "logistic"] = "means",
    strengths: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    images: int = 4,
    limit: int = 2000,
    judged: int = 50,
    video: Literal["gif", "mp4"] | None = None,
):
    """Attribute directions from labels or tags: applied to test images at several strengths, and judged.

    A judge trained on real training images says in how many test images it sees the attribute, before and after they
    are moved along the direction of either method.

    Args:
        names: Attributes to show: class names or tags of the source; the first ten if none is given.
        folders: Two folders of your own: images with an attribute, and images without.
        load: Attributes saved earlier (.npz), or the original's z_manipulate.npy.
        save: File (.npz) to save the directions in; attributes.npz beside the pictures if none is given.
        method: Of the pictures and the file: the original's difference of means, or logistic regression on latents.
        strengths: Strengths shown, of 1 the whole direction.
        images: Test images shown.
        limit: Images that the directions are made of, at most.
        judged: Test images with, and as many without an attribute, that the judge looks at; 0 leaves it out.
        video: Animation as a GIF or an MP4 (extra "video"); the MP4 where it can be written if none is given.
    """
    at_least(1, images=images)
    at_least(2, limit=limit)
    at_least(0, judged=judged)
    finite("strengths", strengths)
    if load and folders:
        raise EvaluationError("give --load or --folders, not both: either says what the directions are.")
    ending = animation.ending(video)
    subject = open_subject(target)
    found, some = _directions(subject, names, folders, load, limit, method, judged)
    first = next(iter(found.values()))
    chosen = _chosen(names, first.names)
    if not load:
        first.save(subject.out / "attributes.npz" if save is None else save)
    shown, labels, _ = subject.arrays("test", images)
    labels = subject.labels(labels)
    with progress(len(chosen) * len(shown) * (len(strengths) + FRAMES), "moving images") as bar:
        z = batched.encode(subject.model, shown, labels)
        for name in chosen:
            _draw(subject, first, name, z, labels, strengths, ending, bar)
    positions = first.positions(z)
    print(f"{subject.source.name}, {subject.weights}, {_origin(load, method)}")
    print("slider positions of the test images shown")
    header = ("attribute", *(f"image {i + 1}" for i in range(len(shown))))
    rows = [(n, *(f"{p:+.2f}" for p in positions[:, first.names.index(n)])) for n in chosen]
    print(table([header, *rows]))
    values = {"slider_positions": {n: positions[:, first.names.index(n)] for n in chosen}, "strengths": strengths}
    if judged and some is not None and some.check is not None:
        values.update(_judge(subject, found, some, [n for n in chosen if n in some.check.names], judged))
    print(f"pictures: {subject.out / 'attribute_*.png'}, moving: {subject.out / f'attribute_*{ending}'}")
    print(f"numbers:  {subject.write_json('attributes.json', values)}")


def _directions(subject, names, folders, load, limit, method, judged):
    """`({method: Attributes}, Tagged or None)`, that of the pictures first; the others are there to be judged."""
    if folders:
        some = tagged.of_folders(subject, folders, limit)
    elif not load or tagged.tag_names(subject.source):
        some = tagged.of_source(subject, limit)
    else:
        some = None
    if load:
        return {"loaded": load_attributes(load, subject.model.config.dims)}, some
    learn = some.learn
    _chosen(names, learn.names)
    with progress(len(learn.images), "encoding") as bar:
        z = batched.encode(subject.model, learn.images, learn.labels, bar)
    others = [m for m in METHODS if m != method and judged and some.check is not None]
    return {m: METHODS[m](z, learn.tags, learn.names) for m in (method, *others)}, some


def _chosen(names, known):
    """The names to show, all of them known ones."""
    for name in names:
        if name not in known:
            raise EvaluationError(f"--names: expected some of {', '.join(known)}, got {name!r}.")
    return names or known[:SHOWN]


def _origin(load, method):
    return f"directions of {load}" if load else f"directions by {method}"


def _draw(subject, found, name, z, labels, strengths, ending, bar):
    """A sheet of the images at each strength, and an animation from the least to the greatest."""
    everywhere = [*strengths, *np.linspace(min(strengths), max(strengths), FRAMES)]
    moved = np.concatenate([found.apply(z, {name: strength}) for strength in everywhere])
    labels = None if labels is None else np.tile(labels, len(everywhere))
    images = batched.decode(subject.model, moved, labels, bar)
    images = images.reshape(len(everywhere), len(z), *subject.model.image_shape)
    path = subject.out / f"attribute_{name.replace('/', '_')}"
    rows = {f"{strength:+g}": row for strength, row in zip(strengths, images, strict=False)}
    save_png(path.with_name(path.name + ".png"), sheet(rows, title=name))
    frames = np.stack([grid(enlarged(row), columns=len(row)) for row in images[len(strengths) :]])
    animation.save_animation(path.with_name(path.name + ending), np.concatenate([frames, frames[::-1]]), seconds=3.0)


def _judge(subject, methods, some, names, count):
    """Prints what the judge sees, and returns it for the JSON."""
    learn, check = some.learn, some.check
    judge = Judge(learn.images[:LIMIT], learn.tags[:LIMIT])
    right = acting.accuracy(judge, check)
    names = [n for n in names if n in right]
    if not names:
        return {}
    with progress(2 * count * len(names) * (1 + len(methods)), "judging") as bar:
        seen = {n: acting.shares_seen(subject.model, judge, check, methods, n, count, bar) for n in names}
    right = {n: right[n] for n in names}
    right["mean"] = float(np.mean(list(right.values())))
    seen["mean"] = {key: float(np.mean([seen[n][key] for n in names])) for key in seen[names[0]]}
    rows = [("attribute", "judge right", *seen["mean"])]
    rows += [(n, f"{right[n]:.0%}", *(f"{share:.0%}" for share in seen[n].values())) for n in seen]
    print("share of test images, without and with the attribute, in which a judge of real images sees it")
    print(table(rows))
    return {"judge_right": right, "judge_sees": seen}
