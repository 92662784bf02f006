"""`folder:PATH`: a folder of images.

Its subfolders `train`, `validation` (or `valid`, `val`) and `test`, in small or capital letters, are the splits;
without them a tenth of all images, chosen by their names, is the test split. With some of them but no `test`, the test
split is the validation split. Folders below these are classes, in the order of their names.
"""

import itertools
import os
import pathlib
import unicodedata
from collections.abc import Iterable

from glow_tf.config import DataConfig
from glow_tf.counts import counted
from glow_tf.data.files import LoadedRecord, RecordSource
from glow_tf.data.folder_checks import require_folder
from glow_tf.data.folder_listing import ImageFile, list_images, list_images_of_format_1
from glow_tf.data.hold_out import digest
from glow_tf.data.image_files import ENDINGS, read_image
from glow_tf.data.images import shape_check
from glow_tf.data.splits import consecutive_rows, draw_splits
from glow_tf.errors import DataError, errors_named
from glow_tf.io import stamp
from glow_tf.types import ImageShape


def open_folder(where: str, config: DataConfig, image_shape: ImageShape) -> RecordSource:
    """Open a folder of images, with labels if every image lies in a folder of its class."""
    root = pathlib.Path(where).expanduser()
    with errors_named(config.source):
        require_folder(root, f"{config.source}: ")
    # Where a run held images out by their positions in the list, the list must stay what it was.
    by_position = config.split_record is not None and config.split_record.rule == "position"
    if by_position:
        split_files = list_images_of_format_1(root, config.source)
    else:
        # A run whose images were one set held out a part of them for testing.
        was_one_set = config.split_record is not None and config.split_record.test is not None
        split_files = list_images(root, config.source, was_one_set)
    files = list(itertools.chain.from_iterable(split_files.values()))
    if not files:
        raise DataError(f"{config.source}: no images ({', '.join(ENDINGS)}) in {root}.")
    rows = consecutive_rows({split or "train": len(part) for split, part in split_files.items()})
    if not len(rows.get("train", ())):
        raise DataError(f"{config.source}: {counted(len(files), 'image')}, but none of them to train on.")
    folder_names = {file.class_name for file in files if file.class_name is not None}
    has_classes = all(file.class_name is not None for file in files)
    labels, class_names = _number_classes(folder_names) if has_classes else ({}, ())
    if config.labels and not class_names:
        raise DataError(f"{config.source}: labels are wanted, so every image must lie in a folder of its class.")
    names = [file.path.relative_to(root).as_posix() for file in files]
    rows, split_record = draw_splits(rows, config, test=0.1 if None in split_files else None, names=names)

    def load(row: int) -> LoadedRecord:
        path, name = files[row]
        return read_image(path), None if name is None else labels.get(name), None

    return RecordSource(
        config.source,
        rows,
        load,
        check=shape_check(image_shape, config),
        split_record=split_record,
        class_names=class_names,
        on_damaged=config.on_damaged,
        contents=lambda: digest(os.path.realpath(root), *map(_name_and_stamp, names, files)),
    )


def _name_and_stamp(name: str, file: ImageFile) -> str:
    return name + stamp(file.path)


def _number_classes(folder_names: Iterable[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return `({name of a folder: label}, names of the classes)`, in the order of the folders' names.

    A name whose letters are composed in one split and not in another, as file systems differ in it, is one class.
    """
    classes: dict[str, int] = {}
    labels: dict[str, int] = {}
    for name in sorted(folder_names):
        labels[name] = classes.setdefault(unicodedata.normalize("NFC", name), len(classes))
    return labels, tuple(classes)
