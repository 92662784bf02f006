"""`folder:PATH`: a folder of images.

Folders `train`, `validation` (or `valid`, `val`) and `test` in it are the splits; without them a tenth of all images,
chosen by a fixed seed, is the test split. Folders below are classes, in the order of their names.
"""

import pathlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from glow_tf.data.files import DamagedRecord, RecordSource
from glow_tf.data.source import DataError, complete_splits, hold_out

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}


def open_folder(where, config):
    root = pathlib.Path(where).expanduser()
    if not root.is_dir():
        raise DataError(f"{config.source}: there is no folder {root}.")
    split_folders = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name in SPLITS]
    files, rows = [], {}
    for folder in split_folders or [root]:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
        split = SPLITS[folder.name] if split_folders else "all"
        rows[split] = np.arange(len(files), len(files) + len(found))
        files += [(p, p.relative_to(folder).parts[0] if p.parent != folder else None) for p in found]
    if not files:
        raise DataError(f"{config.source}: no images ({', '.join(ENDINGS)}) in {root}.")
    if "all" in rows:
        rows["train"], rows["test"] = hold_out(rows.pop("all"), 0.1)
    if not len(rows.get("train", ())):
        raise DataError(f"{config.source}: {len(files)} images, but none of them to train on.")
    names = sorted({name for _, name in files if name is not None})
    if None in {name for _, name in files}:
        names = []
    if config.labels and not names:
        raise DataError(f"{config.source}: labels are wanted, so every image must lie in a folder of its class.")

    def load(row):
        path, name = files[row]
        return read_image(path), names.index(name) if names else 0, None

    return RecordSource(
        config.source, complete_splits(rows, config), load, class_names=names, on_damaged=config.on_damaged
    )


def read_image(path):
    """An image file as uint8 `[h, w, 1]` or `[h, w, 3]` (see `pixels`)."""
    try:
        with Image.open(path) as image:
            return pixels(image)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DamagedRecord(f"{path} cannot be read as an image: {error}") from error


def pixels(image):
    """An opened PIL image as uint8 `[h, w, 1]` or `[h, w, 3]`: palettes resolved, transparency laid on white."""
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
