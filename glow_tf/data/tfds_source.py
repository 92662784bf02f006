"""`tfds:NAME`: any image data set of TensorFlow Datasets.

The builder is prepared as array records, which can be read by index. Two data sets are both called "ImageNet 32":
`downsampled_imagenet` ("oord", the one of the paper) and `imagenet_resized` ("box", easier): they are never mixed, and
`Source.variant` names which it is.
"""

import numpy as np

from glow_tf.data.files import DamagedRecord, RecordSource
from glow_tf.data.source import DataError, complete_splits, hold_out

VARIANTS = {"downsampled_imagenet": "oord", "imagenet_resized": "box"}

ADVICE = {
    "downsampled_imagenet": "its official address is gone: put the PNG files of your copy in folders train/ and "
    "validation/ and give --source folder:PATH",
    "celeb_a_hq": "it is made by hand: put data256x256.tar into the manual_dir that TFDS names, or the images into a "
    "folder and give --source folder:PATH",
    "lsun": "its reader does not load with this TensorFlow: give --source lsun-lmdb:PATH or folder:PATH",
}


def open_tfds(where, config):
    import tensorflow_datasets as tfds

    name = where.split("/")[0].split(":")[0]
    try:
        builder = tfds.builder(where, file_format="array_record")
    except Exception as error:  # TFDS raises many kinds for an unknown name or configuration
        raise DataError(f"{config.source}: TFDS has no such data set: {str(error).splitlines()[0]}") from error
    try:
        builder.download_and_prepare()
        splits = [s for s in ("train", "validation", "test") if s in builder.info.splits] or ["train"]
        sources = {split: builder.as_data_source(split=split) for split in splits}
    except Exception as error:  # so it does when a download, a checksum or a manual step fails
        advice = ADVICE.get(name, "prepare it where there is a network, and copy it to the same place here")
        raise DataError(
            f"{config.source} could not be prepared in {builder.data_dir} ({str(error).strip().splitlines()[0]}); "
            f"{advice}."
        ) from error
    features = builder.info.features
    if "image" not in features:
        raise DataError(f"{config.source}: expected a feature image, it has {', '.join(features)}.")
    places, rows = [], {}
    for split in ("train", "validation", "test"):
        count = len(sources[split]) if split in sources else 0
        rows[split] = np.arange(len(places), len(places) + count)
        places += [(split, i) for i in range(count)]
    if not len(rows["train"]):
        raise DataError(f"{config.source}: expected a split train, it has {', '.join(sources)}.")
    if not len(rows["test"]) and len(rows["validation"]):
        rows["test"] = rows.pop("validation")
    if not len(rows["test"]):
        # CelebA-HQ has 30,000 images in one split; the original tests on 3,000 of them.
        rows["train"], rows["test"] = hold_out(rows["train"], 0.1)
    label = dict(features).get("label")
    tags = tuple(features["attributes"]) if "attributes" in features else ()

    def load(row):
        split, i = places[row]
        try:
            record = sources[split][i]
        except Exception as error:  # what is raised depends on what is damaged: file, record or image
            what = str(error).strip().splitlines() or [type(error).__name__]
            raise DamagedRecord(f"{config.source}, {split} record {i} cannot be read: {what[0]}") from error
        attributes = [2 * int(record["attributes"][tag]) - 1 for tag in tags] if tags else None
        return np.asarray(record["image"]), int(record["label"]) if label is not None else 0, attributes

    return RecordSource(
        config.source,
        complete_splits(rows, config),
        load,
        class_names=() if label is None else tuple(label.names),
        attribute_names=tags,
        variant=VARIANTS.get(name, ""),
        on_damaged=config.on_damaged,
    )
