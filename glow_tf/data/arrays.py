"""Arrays in files: `npy:PATH` holds images, `npz:PATH` images by split, with labels if there are any. Never pickled."""

import pathlib

import numpy as np

from glow_tf.data.source import ArraySource, DataError, complete_splits, hold_out

KEYS = "images (or train, validation, test) and labels (or train_labels, ...)"


def open_npy(where, config):
    """uint8 `[n, h, w]` or `[n, h, w, c]`; a tenth is held out as the test split."""
    return _source(f"npy:{where}", {"images": _load(where)}, config)


def open_npz(where, config):
    """`images`, or `train`, `validation` and `test`, each uint8 `[n, h, w(, c)]`; labels in `labels`, or
    `train_labels` and so on, int `[n]`."""
    with _load(where) as file:
        arrays = {key: _array(file, key, where) for key in file.files}
    return _source(f"npz:{where}", arrays, config)


def _load(where):
    try:
        return np.load(pathlib.Path(where).expanduser(), allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{where}: no such file.") from None
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{where} cannot be read as arrays (pickled ones are refused): {error}") from error


def _array(file, key, where):
    try:
        return file[key]
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{where}: array {key!r} cannot be read (pickled ones are refused): {error}") from error


def _source(name, arrays, config):
    splits = [s for s in ("train", "validation", "test", "images") if s in arrays]
    if not splits or ("images" in splits and len(splits) > 1):
        raise DataError(f"{name}: expected arrays {KEYS}; got {', '.join(arrays) or 'none'}.")
    images, labels, rows, start = [], [], {}, 0
    for split in splits:
        images.append(_checked(arrays[split], f"{name}, {split}"))
        labels.append(arrays.get("labels" if split == "images" else f"{split}_labels"))
        rows[split] = np.arange(start, start := start + len(images[-1]))
    if len({i.shape[1:] for i in images}) > 1:
        raise DataError(f"{name}: the splits differ in image shape: {[i.shape[1:] for i in images]}.")
    if "images" in rows:
        rows["train"], rows["test"] = hold_out(rows.pop("images"), 0.1)
    if "train" not in rows:
        raise DataError(f"{name}: expected arrays {KEYS}; there is no train.")
    labels = _labels(labels, images, name)
    names = () if labels is None else tuple(map(str, range(int(labels.max()) + 1)))
    return ArraySource(name, np.concatenate(images), labels, complete_splits(rows, config), class_names=names)


def _checked(array, what):
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not array.size:
        raise DataError(f"{what}: expected uint8 images [n, h, w] or [n, h, w, c], got {array.dtype} {array.shape}.")
    return array[..., None] if array.ndim == 3 else array


def _labels(labels, images, name):
    given = [x for x in labels if x is not None]
    if not given:
        return None
    for some, split in zip(labels, images, strict=True):
        if some is None or some.shape != (len(split),) or not np.issubdtype(some.dtype, np.integer) or some.min() < 0:
            got = "none for a split" if some is None else f"{some.dtype} {some.shape}"
            raise DataError(f"{name}: expected one label per image, integers from 0, got {got}.")
    return np.concatenate(given)
