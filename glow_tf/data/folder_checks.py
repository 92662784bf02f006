"""What makes a folder of images ambiguous: it is refused, or the user is warned."""

import pathlib
import warnings
from collections.abc import Iterable, Mapping

from glow_tf.counts import counted
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


def require_folder(path: pathlib.Path, prefix: str = "") -> None:
    """Raise a `DataError`, whose sentence begins with `prefix`, unless a path is a folder."""
    if not path.is_dir():
        raise DataError(
            f"{prefix}expected a folder, {path} is a file." if path.exists() else f"{prefix}there is no folder {path}."
        )


def check_splits(splits: Mapping[str, str], folders: Mapping[str | None, list[pathlib.Path]], source_name: str) -> None:
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


def check_listed_once(real_paths: Mapping[pathlib.Path, str], source_name: str) -> None:
    """Raise a `DataError` if two paths are one file, whose copies could be trained on and tested on."""
    paths: dict[str, pathlib.Path] = {}
    for path, real_path in real_paths.items():
        first = paths.setdefault(real_path, path)
        if first != path:
            raise DataError(
                f"{source_name}: {first} and {path} are one file, by a link, and could come into two splits; remove "
                "one of them."
            )


def warn_of_other_endings(paths: Iterable[pathlib.Path], source_name: str) -> None:
    """Warn if there are images of a kind that is not read."""
    endings = [path.suffix.lower() for path in paths if path.suffix.lower() in OTHER_ENDINGS]
    if endings:
        warnings.warn(
            f"{source_name}: {counted(len(endings), 'file')} of another kind ({', '.join(sorted(set(endings)))}) left "
            f"out; images are read from {', '.join(ENDINGS)}.",
            stacklevel=3,
        )


def warn_of_empty_splits(names: Iterable[str], folders: Iterable[str | None], source_name: str) -> None:
    """Warn if a folder has the name of a split and holds no images, as after an archive was not unpacked to its end.

    Args:
        names: names of the folders of the root that are splits.
        folders: names of those that hold images.
        source_name: name of the source, for messages.
    """
    empty = sorted(set(names).difference(folders))
    if empty:
        warnings.warn(
            f"{source_name}: folders of splits without images are left out ({', '.join(empty)}); put their images "
            "there, or remove them.",
            stacklevel=3,
        )


def check_no_deep_splits(
    paths: Iterable[pathlib.Path], root: pathlib.Path, source_name: str, was_one_set: bool
) -> None:
    """Raise a `DataError` if folders of several splits lie deeper than the root, where they are no splits.

    Args:
        paths: the images.
        root: the folder of the source, which has no folder of a split.
        source_name: name of the source, for messages.
        was_one_set: a run was started on these images, all of them as one set, and may be resumed: warn instead.
    """
    deep: dict[str, str] = {}
    for path in paths:
        folders = path.relative_to(root).parts[:-1]
        for i, name in enumerate(folders):
            if name.lower() in SPLIT_FOLDERS:
                deep.setdefault(SPLIT_FOLDERS[name.lower()], "/".join(folders[: i + 1]))
    if len(deep) < 2:
        return
    message = f"{source_name}: expected the folders of the splits directly in it, got {', '.join(deep.values())}"
    if was_one_set:
        warnings.warn(f"{message}; as when the run was started, their images are one set.", stacklevel=3)
        return
    raise DataError(
        f"{message}, whose images would be one set; give the folder that holds train/ and test/ directly, or, where "
        "each class has its own, put the splits above the classes."
    )
