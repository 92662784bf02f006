"""The image files below a folder, their classes and splits."""

import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from glow_tf.data.folder_checks import (
    SPLIT_FOLDERS,
    check_listed_once,
    check_no_deep_splits,
    check_splits,
    warn_of_empty_splits,
    warn_of_other_endings,
)
from glow_tf.data.image_files import ENDINGS
from glow_tf.errors import errors_named

ENDINGS_OF_FORMAT_1 = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


class ImageFile(NamedTuple):
    """An image file of a folder.

    Args:
        path: path of the file.
        class_name: name of the folder of its class, or None if the image lies in no such folder.
    """

    path: pathlib.Path
    class_name: str | None


def list_images(root: pathlib.Path, source_name: str, was_one_set: bool = False) -> dict[str | None, list[ImageFile]]:
    """List the images below a folder: links are followed, names that begin with a dot are left out.

    Args:
        root: the folder.
        source_name: name of the source, for messages.
        was_one_set: a run was started on these images, all of them as one set, and may be resumed.

    Returns:
        The images of each split; without splits those of the key None.

    Raises:
        DataError: a folder cannot be listed, an image is there twice by a link, images lie beside the folders of the
            splits, or these folders lie deeper.
    """
    with errors_named(source_name):
        real_paths = dict(sorted(_walk(root)))
        # Names first: a folder of 200,000 images would be as many questions to a network drive.
        names = [path.name for path in root.iterdir() if path.name.lower() in SPLIT_FOLDERS and path.is_dir()]
    warn_of_other_endings(real_paths, source_name)
    real_paths = {path: real_path for path, real_path in real_paths.items() if path.suffix.lower() in ENDINGS}
    check_listed_once(real_paths, source_name)
    paths = list(real_paths)
    folders: dict[str | None, list[pathlib.Path]] = {}
    for path in paths:
        folders.setdefault(path.relative_to(root).parts[0] if path.parent != root else None, []).append(path)
    warn_of_empty_splits(names, folders, source_name)
    splits = {name: SPLIT_FOLDERS[name.lower()] for name in folders if name and name.lower() in SPLIT_FOLDERS}
    if not splits:
        check_no_deep_splits(paths, root, source_name, was_one_set)
        return {None: _with_classes(root, paths)}
    check_splits(splits, folders, source_name)
    return {split: _with_classes(root / name, folders[name]) for name, split in splits.items()}


def list_images_of_format_1(root: pathlib.Path, source_name: str) -> dict[str | None, list[ImageFile]]:
    """List the images below a folder as runs of format 1 did, whose splits depend on the list; see `list_images`."""
    with errors_named(source_name):
        folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name in SPLIT_FOLDERS]
        return {
            None if folder == root else SPLIT_FOLDERS[folder.name]: _with_classes(
                folder, sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS_OF_FORMAT_1)
            )
            for folder in folders or [root]
        }


def _walk(folder: pathlib.Path | str, above: tuple[str, ...] = ()) -> Iterator[tuple[pathlib.Path, str]]:
    """Yield `(path, path without links)` of all files below a folder; raise an `OSError` if one cannot be listed."""
    real_path = os.path.realpath(folder)
    if real_path in above:
        return  # a link to a folder that it lies in
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, (*above, real_path))
            elif entry.is_symlink():
                yield pathlib.Path(entry.path), os.path.realpath(entry.path)
            else:
                yield pathlib.Path(entry.path), os.path.join(real_path, entry.name)


def _with_classes(folder: pathlib.Path, paths: Iterable[pathlib.Path]) -> list[ImageFile]:
    """Return the `ImageFile`s of paths below a folder: its subfolders are the classes."""
    return [ImageFile(p, p.relative_to(folder).parts[0] if p.parent != folder else None) for p in paths]
