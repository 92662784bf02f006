"""The sub-commands of `evaluate.py` that act on latents: encode, interpolate, attributes."""

import pathlib
from typing import Literal

import numpy as np

from glow_tf import latents as latent_files
from glow_tf.attributes import METHODS, load_attributes
from glow_tf.evaluation.own_images import own_images
from glow_tf.evaluation.subject import EvaluationError, open_subject
from glow_tf.evaluation.tables import table
from glow_tf.evaluation.tagged import tagged_images
from glow_tf.interpolation import interpolate as blend
from glow_tf.pictures import save_animation, save_png, sheet
from glow_tf.runs import write_atomically


def encode(path: str, out: str, /, data: str | None = None, split: str = "test", limit: int | None = None):
    """Writes x.npy, uint8 images [n, H, W, C], and z.npy, their latents [n, D] in the original's order.

    Args:
        path: Run folder or .keras file.
        out: Folder for the two files.
        data: Source of the images; a .keras file needs it.
        split: train, validation or test.
        limit: Only the first so many images.
    """
    subject = open_subject(path, data)
    images, labels, _ = subject.arrays(split, limit)
    z = _flat(subject.model, images, subject.labels(labels))
    out = pathlib.Path(out)
    for name, array in (("x.npy", images), ("z.npy", z)):
        _save_array(out / name, array)
        print(f"{out / name}  {array.dtype} {list(array.shape)}")


def interpolate(
    path: str,
    /,
    images: tuple[str, ...] = (),
    data: str | None = None,
    average: bool = False,
    pairs: int = 5,
    steps: int = 9,
    label: int = 0,
):
    """Between test images, or between your own files: a sheet and an animation, linear in the latents.

    Args:
        path: Run folder or .keras file.
        images: Your own image files, two or more; each is blended into the next.
        data: Source of the images; a .keras file needs it.
        average: Use the averaged weights.
        pairs: Pairs of test images.
        steps: Images of a strip, ends included.
        label: Class of your own files, for a conditional model.
    """
    if steps < 2:
        raise EvaluationError(f"steps: expected at least 2, got {steps}.")
    subject = open_subject(path, data, average)
    if images:
        if len(images) < 2:
            raise EvaluationError("images: expected two files or more.")
        shown = own_images(images, subject.model.image_shape)
        first, second, labels = shown[:-1], shown[1:], np.full(len(shown) - 1, label)
    else:
        shown, labels, _ = subject.arrays("test", 2 * pairs)
        first, second, labels = shown[:pairs], shown[pairs:], labels[:pairs]
    strips = blend(subject.model, first, second, steps, subject.labels(labels))
    save_png(subject.out / "interpolation.png", sheet({str(i + 1): strip for i, strip in enumerate(strips)}))
    smooth = blend(subject.model, first, second, 24, subject.labels(labels))
    frames = np.concatenate([np.concatenate([s, s[::-1]]) for s in smooth])
    save_animation(subject.out / "interpolation.gif", frames, seconds=2.0 * len(smooth))
    print(f"strips:    {subject.out / 'interpolation.png'}")
    print(f"animation: {subject.out / 'interpolation.gif'}")


def attributes(
    path: str,
    /,
    names: tuple[str, ...] = (),
    folders: tuple[str, ...] = (),
    load: str | None = None,
    save: str | None = None,
    method: Literal["means", "logistic"] = "means",
    strengths: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    data: str | None = None,
    average: bool = False,
    images: int = 4,
    limit: int = 2000,
):
    """Attribute directions from labels or tags, applied to test images at several strengths.

    Args:
        path: Run folder or .keras file.
        names: Attributes to show: class names or tags of the source; all of them (at most 10) if none is given.
        folders: Two folders of your own: images with an attribute, and images without.
        load: Attributes saved earlier (.npz), or the original's z_manipulate.npy.
        save: File (.npz) to save the directions in; attributes.npz beside the pictures if none is given.
        method: The original's difference of means, or logistic regression on latents.
        strengths: Strengths shown, of 1 the whole direction.
        data: Source of the images; a .keras file needs it.
        average: Use the averaged weights.
        images: Test images shown.
        limit: Training images that the directions are made of.
    """
    subject = open_subject(path, data, average)
    if load:
        found = load_attributes(load, subject.model.config.dims)
    else:
        z, tags, known = _tagged_latents(subject, folders, limit)
        found = METHODS[method](z, tags, known)
        found.save(subject.out / "attributes.npz" if save is None else save)
    shown, labels, _ = subject.arrays("test", images)
    labels = subject.labels(labels)
    z = _flat(subject.model, shown, labels)
    chosen = names or found.names[:10]
    for name in chosen:
        rows = {}
        for strength in strengths:
            eps = latent_files.unflatten_latents(found.apply(z, {name: strength}), subject.model)
            rows[f"{strength:+g}"] = subject.model.decode(eps, labels).numpy()
        save_png(subject.out / f"attribute_{name}.png", sheet(rows, title=name))
    positions = found.positions(z)
    header = ("attribute", *(f"image {i + 1}" for i in range(len(shown))))
    rows = [(n, *(f"{p:+.2f}" for p in positions[:, found.names.index(n)])) for n in chosen]
    print("slider positions")
    print(table([header, *rows]))
    print(f"pictures: {subject.out / 'attribute_*.png'}")


def _tagged_latents(subject, folders, limit):
    """`(z [n, D], tags bool [n, a], names)` of the source's training images, or of two folders."""
    if folders:
        if len(folders) != 2:
            raise EvaluationError("folders: expected two, images with the attribute and images without.")
        groups = [own_images(sorted(map(str, pathlib.Path(f).iterdir())), subject.model.image_shape) for f in folders]
        images, tags = np.concatenate(groups), np.repeat([[True], [False]], [len(g) for g in groups], axis=0)
        return _flat(subject.model, images, subject.labels(np.zeros(len(images), int))), tags, ("attribute",)
    images, labels, tags, names = tagged_images(subject, limit)
    return _flat(subject.model, images, subject.labels(labels)), tags, names


def _flat(model, images, labels):
    """Flat latents `[n, D]` of images."""
    return np.concatenate(list(latent_files.flat_parts(model.encode, images, labels)))


def _save_array(path, array):
    def write(temporary):
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)
