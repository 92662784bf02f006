"""The image files below a folder, their classes and splits."""

import contextlib
import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
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
        path: path of the file.
        class_name: name of the folder of its class, or None if the image lies in no such folder.
    """

    path: pathlib.Path
    class_name: str | None


def list_images(root: pathlib.Path, source_name: str) -> dict[str | None, list[ImageFile]]:
    """List the images below a folder: links are followed, names that begin with a dot are left out.

    Args:
        root: the folder.
        source_name: name of the source, for messages.

    Returns:
        The images of each split; without splits those of the key None.

    Raises:
        DataError: a folder cannot be listed, an image is there twice by a link, or images lie beside the folders of the
            splits.
    """
    with _errors_named(source_name):
        real_paths = dict(sorted(_walk(root)))
    _warn_of_other_endings(real_paths, source_name)
    real_paths = {path: real_path for path, real_path in real_paths.items() if path.suffix.lower() in ENDINGS}
    _check_listed_once(real_paths, source_name)
    paths = list(real_paths)
    folders: dict[str | None, list[pathlib.Path]] = {}
    for path in paths:
        folders.setdefault(path.relative_to(root).parts[0] if path.parent != root else None, []).append(path)
    splits = {name: SPLIT_FOLDERS[name.lower()] for name in folders if name and name.lower() in SPLIT_FOLDERS}
    if not splits:
        return {None: _with_classes(root, paths)}
    _check_splits(splits, folders, source_name)
    return {split: _with_classes(root / name, folders[name]) for name, split in splits.items()}


def list_images_of_format_1(root: pathlib.Path, source_name: str) -> dict[str | None, list[ImageFile]]:
    """List the images below a folder as runs of format 1 did, whose splits depend on the list; see `list_images`."""
    with _errors_named(source_name):
        folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name in SPLIT_FOLDERS]
        return {
            None if folder == root else SPLIT_FOLDERS[folder.name]: _with_classes(
                folder, sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS_OF_FORMAT_1)
            )
            for folder in folders or [root]
        }


@contextlib.contextmanager
def _errors_named(source_name: str) -> Iterator[None]:
    """Turn the `OSError` of a folder that cannot be listed into a `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{source_name}: {error.filename} cannot be listed: {error.strerror}.") from error


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


def _check_splits(
    splits: Mapping[str, str], folders: Mapping[str | None, list[pathlib.Path]], source_name: str
) -> None:
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


def _check_listed_once(real_paths: Mapping[pathlib.Path, str], source_name: str) -> None:
    """Raise a `DataError` if two paths are one file, whose copies could be trained on and tested on."""
    paths: dict[str, pathlib.Path] = {}
    for path, real_path in real_paths.items():
        first = paths.setdefault(real_path, path)
        if first != path:
            raise DataError(
                f"{source_name}: {first} and {path} are one file, by a link, and could come into two splits; remove "
                "one of them."
            )


def _warn_of_other_endings(paths: Iterable[pathlib.Path], source_name: str) -> None:
    """Warn if there are images of a kind that is not read."""
    endings = [path.suffix.lower() for path in paths if path.suffix.lower() in OTHER_ENDINGS]
    if endings:
        warnings.warn(
            f"{source_name}: {len(endings):,} files of another kind ({', '.join(sorted(set(endings)))}) are left out; "
            f"images are read from {', '.join(ENDINGS)}.",
            stacklevel=3,
        )
