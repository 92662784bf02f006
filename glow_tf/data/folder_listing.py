"""The image files below a folder, their classes and splits."""

import os
import pathlib
import warnings
from typing import NamedTuple

from glow_tf.data.image_files import ENDINGS, OTHER_ENDINGS
from glow_tf.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
"""Name of a folder, in small letters -> its split."""

ENDINGS_OF_FORMAT_1 = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


class ImageFile(NamedTuple):
    """An image file of a folder.

    Args:
        path: a `pathlib.Path`.
        class_name: name of the folder of its class, or None if the image lies in no such folder.
    """

    path: pathlib.Path
    class_name: str | None


def list_images(root, source_name):
    """List the images below a folder: links are followed, names that begin with a dot are left out.

    Args:
        root: a `pathlib.Path`.
        source_name: str, for messages.

    Returns:
        `{split: list of ImageFile}`; of a folder without splits `{None: ...}`.

    Raises:
        DataError: a folder cannot be listed, or images lie beside the folders of the splits.
    """
    try:
        paths = sorted(_walk(root))
    except OSError as error:
        raise DataError(f"{source_name}: {error.filename} cannot be listed: {error.strerror}.") from error
    _warn_of_other_endings(paths, source_name)
    paths = [path for path in paths if path.suffix.lower() in ENDINGS]
    folders = {}
    for path in paths:
        folders.setdefault(path.relative_to(root).parts[0] if path.parent != root else None, []).append(path)
    splits = {name: SPLIT_FOLDERS[name.lower()] for name in folders if name and name.lower() in SPLIT_FOLDERS}
    if not splits:
        return {None: _with_classes(root, paths)}
    _check_splits(splits, folders, source_name)
    return {split: _with_classes(root / name, folders[name]) for name, split in splits.items()}


def list_images_of_format_1(root):
    """List the images below a folder as runs of format 1 did, whose splits depend on the list; see `list_images`."""
    folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name in SPLIT_FOLDERS]
    return {
        None if folder == root else SPLIT_FOLDERS[folder.name]: _with_classes(
            folder, sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS_OF_FORMAT_1)
        )
        for folder in folders or [root]
    }


def _walk(folder, above=()):
    """Yield the paths of all files below a folder; raise an `OSError` for one that cannot be listed."""
    real_path = os.path.realpath(folder)
    if real_path in above:
        return  # a link to a folder that it lies in
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, (*above, real_path))
            else:
                yield pathlib.Path(entry.path)


def _with_classes(folder, paths):
    """Return the `ImageFile`s of paths below a folder: its subfolders are the classes."""
    return [ImageFile(p, p.relative_to(folder).parts[0] if p.parent != folder else None) for p in paths]


def _check_splits(splits, folders, source_name):
    """Raise a `DataError` if a split has two folders, or if images lie outside of all of them."""
    names = ", ".join(splits)
    if len(set(splits.values())) < len(splits):
        raise DataError(f"{source_name}: {names} name a split twice; put its images into one folder.")
    outside = {name: len(paths) for name, paths in folders.items() if name not in splits}
    if outside:
        counts = (f"{count:,} {f'in {name}' if name else 'beside it'}" for name, count in outside.items())
        raise DataError(
            f"{source_name}: the folders of the splits ({names}) would leave out images ({', '.join(counts)}); move "
            "these into a split, or elsewhere, or give a class of such a name another one."
        )


def _warn_of_other_endings(paths, source_name):
    """Warn if there are images of a kind that is not read."""
    endings = [path.suffix.lower() for path in paths if path.suffix.lower() in OTHER_ENDINGS]
    if endings:
        warnings.warn(
            f"{source_name}: {len(endings):,} files of another kind ({', '.join(sorted(set(endings)))}) are left out; "
            f"images are read from {', '.join(ENDINGS)}.",
            stacklevel=3,
        )
