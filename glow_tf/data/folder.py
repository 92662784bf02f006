"""`folder:PATH`: a folder of images.

Its subfolders `train`, `validation` (or `valid`, `val`) and `test` are the splits; without them a tenth of all images,
chosen by a fixed seed, is the test split. Folders below these are classes, in the order of their names.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from glow_tf.data.files import DamagedRecord, RecordSource
from glow_tf.data.images import size_check
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


class ImageFile(NamedTuple):
    """An image file of a folder.

    Args:
        path: a `pathlib.Path`.
        class_name: name of the folder of its class, or None if the image lies in no such folder.
    """

    path: pathlib.Path
    class_name: str | None


def open_folder(where, config, image_shape):
    """Open a folder of images, with labels if every image lies in a folder of its class."""
    root = pathlib.Path(where).expanduser()
    if not root.is_dir():
        raise DataError(f"{config.source}: there is no folder {root}.")
    files, rows = _list_images(root, config.source)
    if not len(rows.get("train", ())):
        raise DataError(f"{config.source}: {len(files)} images, but none of them to train on.")
    is_split = set(rows) != {"train"}
    file_names = [file.path.relative_to(root).as_posix() for file in files]
    rows, split_record = draw_splits(rows, config, test=None if is_split else 0.1, names=file_names)
    names = {file.class_name for file in files}
    class_names = [] if None in names else sorted(names)
    if config.labels and not class_names:
        raise DataError(f"{config.source}: labels are wanted, so every image must lie in a folder of its class.")

    def load(row):
        path, name = files[row]
        return read_image(path), class_names.index(name) if class_names else 0, None

    return RecordSource(
        config.source,
        rows,
        load,
        check=size_check(image_shape, config),
        split_record=split_record,
        class_names=class_names,
        on_damaged=config.on_damaged,
    )


def _list_images(root, source_name):
    """Return the `ImageFile`s below a folder and the rows of each split: `(list, {split: int [n]})`."""
    split_folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name in SPLIT_FOLDERS]
    paths = {
        folder: sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
        for folder in split_folders or [root]
    }
    files = [
        ImageFile(p, p.relative_to(folder).parts[0] if p.parent != folder else None)
        for folder, folder_paths in paths.items()
        for p in folder_paths
    ]
    if not files:
        raise DataError(f"{source_name}: no images ({', '.join(ENDINGS)}) in {root}.")
    rows = consecutive_rows({folder: len(folder_paths) for folder, folder_paths in paths.items()})
    if split_folders:
        return files, {SPLIT_FOLDERS[folder.name]: folder_rows for folder, folder_rows in rows.items()}
    return files, {"train": rows[root]}


def read_image(path):
    """Read an image file as uint8 `[h, w, 1]` or `[h, w, 3]` (see `pixels`); raise `DamagedRecord` if that fails."""
    try:
        with Image.open(path) as image:
            return pixels(image)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DamagedRecord(f"{path} cannot be read as an image: {error}") from error


def pixels(image):
    """Return an opened PIL image as uint8 `[h, w, 1]` or `[h, w, 3]`.

    Palettes are resolved, and transparent pixels are laid on white.
    """
    image.load()
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]  # PIL's own conversion would clip at 255
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[..., None]
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))
