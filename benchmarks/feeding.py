"""Make a source of images and measure how fast its batches are read, in a process with a given number of cores."""

import itertools
import json
import os
import pathlib
import statistics
import sys
import time

BATCH = 64
LATER_PASSES = 3


def main():
    """Run `make KIND SIZE COUNT FOLDER`, or `measure KIND SIZE CORES FOLDER`; print the latter's result as JSON."""
    task, kind, size, number, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    os.environ["TFDS_DATA_DIR"] = str(folder / "tfds")
    if task == "make":
        MAKERS[kind](folder, pictures(int(number), int(size)))
        print(json.dumps(None))
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(number)])  # before TensorFlow makes its threads
    print(json.dumps(measure(kind, int(size), folder)))


def pictures(count, size):
    """Yield uint8 images `[size, size, 3]` that compress about as photographs do: a coarse picture and weak noise."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((size, size), Image.BICUBIC)
        yield np.clip(np.asarray(coarse) + rng.integers(-4, 5, (size, size, 3)), 0, 255).astype(np.uint8)


def make_array(folder, images):
    """Write a NumPy file, which is read into memory: the rate to compare with."""
    import numpy as np

    np.save(folder / "images.npy", np.stack(list(images)))


def make_files(folder, images, ending="png"):
    """Write a folder of image files."""
    from PIL import Image

    (folder / ending).mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / ending / f"{i:06d}.{ending}")


def make_jpeg_files(folder, images):
    """Write a folder of JPEG files."""
    make_files(folder, images, "jpg")


def make_tfrecord(folder, images):
    """Write the original's TFRecords."""
    import tensorflow as tf

    (folder / "tfrecord" / "train").mkdir(parents=True)
    size, path = None, folder / "tfrecord" / "train" / "unnamed"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image in images:
            size = len(image)
            feature = {
                "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=image.shape)),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
                "data": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    path.rename(path.with_name(f"train-r{size.bit_length() - 1:02d}-s-0000-of-0001.tfrecords"))


def make_lmdb(folder, images):
    """Write LSUN's LMDB, whose images are in WebP."""
    import io

    import lmdb
    from PIL import Image

    with lmdb.open(str(folder / "lsun_train_lmdb"), map_size=1 << 36) as environment:
        for i, image in enumerate(images):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "webp")
            with environment.begin(write=True) as transaction:
                transaction.put(f"{i:06d}".encode(), file.getvalue())


def make_tfds(folder, images):
    """Prepare a data set of TensorFlow Datasets."""
    from benchmarks import feeding_tfds

    feeding_tfds.prepare(images)


MAKERS = {
    "npy": make_array,
    "folder, PNG": make_files,
    "folder, JPEG": make_jpeg_files,
    "tfrecord": make_tfrecord,
    "lsun-lmdb": make_lmdb,
    "tfds": make_tfds,
}


def source_text(kind, folder):
    """Return the `DataConfig.source` of what a maker has written."""
    return {
        "npy": f"npy:{folder / 'images.npy'}",
        "folder, PNG": f"folder:{folder / 'png'}",
        "folder, JPEG": f"folder:{folder / 'jpg'}",
        "tfrecord": f"tfrecord:{folder / 'tfrecord'}",
        "lsun-lmdb": f"lsun-lmdb:{folder / 'lsun'}",
        "tfds": "tfds:benchmark_images",
    }[kind]


def measure(kind, size, folder):
    """Return images/s of the first pass and the median of later ones, seconds to open, and bytes of the cache."""
    from glow_tf.config import DataConfig
    from glow_tf.data import cache, open_source, pipeline

    if kind == "tfds":
        from benchmarks import feeding_tfds  # noqa: F401  (TFDS finds the class by its name)
    cache.MAX_BYTES_IN_MEMORY = 0
    cache_dir = folder / f"cache-{os.getpid()}"
    config, shape = DataConfig(source_text(kind, folder)), (size, size, 3)
    start = time.perf_counter()
    source = open_source(config, shape, cache="auto", cache_dir=cache_dir)
    opening = time.perf_counter() - start
    batches = iter(pipeline.training_batches(source, config, image_shape=shape, batch_size=BATCH, seed=0))
    steps, rates = max(1, source.size("train") // BATCH), []
    for _ in range(1 + LATER_PASSES):
        start = time.perf_counter()
        for _ in itertools.islice(batches, steps):
            pass
        rates.append(steps * BATCH / (time.perf_counter() - start))
    if isinstance(source, cache.CachedSource):
        source.close()
    disk = sum(512 * path.stat().st_blocks for path in cache_dir.rglob("*"))
    return {"open_s": opening, "first": rates[0], "later": statistics.median(rates[1:]), "cache_bytes": disk}


if __name__ == "__main__":
    main()
