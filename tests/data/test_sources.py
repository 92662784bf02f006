"""Every source of images, on files that the tests write."""

import dataclasses
import functools
import io
import pathlib
import re
import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import DataError, open_source, photos, pipeline
from glow_tf.errors import run_command

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 3)


def colour(n, size=8):
    return RNG.integers(0, 256, (n, size, size, 3), np.uint8)


def arrays(source, split, config, shape=SHAPE, limit=None):
    return pipeline.arrays(source, split, config, shape, limit)


def read_all(config):
    """How many images of train and validation are read."""
    source = open_source(config, SHAPE)
    return sum(len(arrays(source, split, config)[0]) for split in ("train", "validation"))


def message_that_stops(capsys, config):
    """The sentence with which a command ends that reads all images of train and validation."""
    with pytest.raises(SystemExit) as stop:
        run_command(lambda _: read_all(config) and 0, "train.py", [])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "--on-damaged skip" in err and err.count("\n") == 1
    return err


# Bundled.


@pytest.mark.parametrize(
    ("name", "shape", "fit", "count", "classes"),
    [("digits", (8, 8, 1), "exact", 1797, 10), ("mnist", (32, 32, 1), "pad", 5000, 10)],
)
def test_bundled_digits(name, shape, fit, count, classes):
    config = DataConfig(f"bundled:{name}", fit=fit)
    source = open_source(config, shape)
    assert source.classes == classes
    assert sum(source.size(s) for s in ("train", "validation", "test")) == count
    images, labels, _ = arrays(source, "test", config, shape, 100)
    assert images.shape == (100, *shape) and set(labels) == set(range(10))
    assert images.max() > 200


def test_digits_keep_their_levels_at_4_bits():
    config = DataConfig("bundled:digits")
    images, _, _ = arrays(open_source(config, (8, 8, 1)), "train", config, (8, 8, 1))
    assert set(np.unique(images)) == set(range(0, 256, 16))


def test_photos_share_no_picture():
    assert not set(photos.TRAINING) & set(photos.TEST)
    config = DataConfig("bundled:photos")
    source = open_source(config, (32, 32, 3))
    assert source.size("train") > 5000 and source.size("test") > 200 and source.size("validation") > 100
    seen = {c.tobytes() for c in source.images[source.rows_of("train")]}
    for split in ("validation", "test"):
        assert not seen & {c.tobytes() for c in source.images[source.rows_of(split)]}


def test_unknown_bundled():
    with pytest.raises(DataError, match=r"expected bundled:\{digits,mnist,photos\}, got bundled:cats"):
        open_source(DataConfig("bundled:cats"), SHAPE)


# Arrays.


def test_npz_with_labels(tmp_path):
    images, labels = colour(20), np.arange(20) % 4
    np.savez(tmp_path / "a.npz", train=images[:15], train_labels=labels[:15], test=images[15:], test_labels=labels[15:])
    config = DataConfig(f"npz:{tmp_path / 'a.npz'}")
    source = open_source(config, SHAPE)
    assert source.classes == 4 and source.size("test") == 5
    found, found_labels, _ = arrays(source, "test", config)
    np.testing.assert_array_equal(found, images[15:])
    np.testing.assert_array_equal(found_labels, labels[15:])


def test_npy_of_grey_images(tmp_path):
    np.save(tmp_path / "a.npy", colour(50)[..., 0])
    config = DataConfig(f"npy:{tmp_path / 'a.npy'}")
    source = open_source(config, (8, 8, 1))
    assert source.classes == 0
    assert [source.size(s) for s in ("train", "validation", "test")] == [43, 2, 5]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"images": np.zeros((3, 8, 8, 3))}, r"expected uint8 images .* got float64"),
        ({"pictures": colour(3)}, r"expected arrays images .* got pictures"),
        ({"images": np.array([{}], object)}, r"pickled"),
        ({"images": colour(9), "labels": np.zeros(4, int)}, r"expected one label per image"),
        ({"train": colour(9), "test": colour(3, 4)}, r"differ in image shape"),
    ],
)
def test_arrays_that_are_refused(contents, message, tmp_path):
    np.savez(tmp_path / "a.npz", **contents)
    with pytest.raises(DataError, match=message):
        open_source(DataConfig(f"npz:{tmp_path / 'a.npz'}"), SHAPE)


def test_missing_and_damaged_array_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_source(DataConfig(f"npy:{tmp_path / 'none.npy'}"), SHAPE)
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="cannot be read as arrays"):
        open_source(DataConfig(f"npz:{tmp_path / 'bad.npz'}"), SHAPE)


# Folders.


def make_folder(root, per_class=6):
    for c, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            Image.fromarray(np.full((8, 8, 3), 40 * c + i, np.uint8)).save(root / name / f"{i}.png")
    return root


def test_class_folders(tmp_path):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'f')}", labels=True)
    source = open_source(config, SHAPE)
    assert source.class_names == ("cat", "dog")
    images, labels, _ = arrays(source, "train", config)
    np.testing.assert_array_equal(labels, images[:, 0, 0, 0] >= 40)
    sizes = [source.size(s) for s in ("train", "validation", "test")]
    assert sum(sizes) == 12 and min(sizes) >= 1


def test_split_folders(tmp_path):
    for split in ("train", "val", "test"):
        make_folder(tmp_path / "f" / split, 3)
    source = open_source(DataConfig(f"folder:{tmp_path / 'f'}"), SHAPE)
    assert [source.size(s) for s in ("train", "validation", "test")] == [6, 6, 6]


def test_every_kind_of_file(tmp_path):
    picture = Image.fromarray(np.full((8, 8, 3), [200, 100, 50], np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.jpeg", quality=100)
    picture.save(tmp_path / "c.webp", lossless=True)
    picture.convert("P").save(tmp_path / "d.png")
    picture.convert("L").save(tmp_path / "e.png")
    Image.new("RGBA", (8, 8), (200, 100, 50, 0)).save(tmp_path / "f.png")
    picture.convert("CMYK").save(tmp_path / "g.jpg")
    config = DataConfig(f"folder:{tmp_path}")
    source = open_source(config, SHAPE)
    shown = np.concatenate([arrays(source, s, config)[0] for s in ("train", "validation", "test")])
    colours = sorted(tuple(int(v) for v in image[4, 4]) for image in shown)
    assert len(colours) == 7
    assert (255, 255, 255) in colours, "transparent is white"
    assert sum(abs(c[0] - 200) + abs(c[1] - 100) + abs(c[2] - 50) < 12 for c in colours) == 5
    assert sum(c[0] == c[1] == c[2] < 255 for c in colours) == 1


def damaged_folder(tmp_path):
    root = make_folder(tmp_path / "f" / "train")
    (root / "cat" / "0.png").write_bytes(b"no picture")
    make_folder(tmp_path / "f" / "test", 2)
    (tmp_path / "f" / "test" / "dog" / "1.png").write_bytes(b"no picture")
    return tmp_path / "f"


def test_a_damaged_image_stops_the_run_with_its_name(tmp_path, capsys):
    err = message_that_stops(capsys, DataConfig(f"folder:{damaged_folder(tmp_path)}"))
    assert "cat/0.png cannot be read as an image" in err


def test_a_damaged_image_is_named_and_skipped(tmp_path, capsys):
    config = DataConfig(f"folder:{damaged_folder(tmp_path)}", on_damaged="skip", labels=True)
    source = open_source(config, SHAPE)
    images, labels, _ = arrays(source, "test", config)
    assert len(images) == 3, "left out of an evaluation"
    batches = pipeline.training_batches(source, config, image_shape=SHAPE, batch_size=12, seed=0).take(3)
    for batch in batches.as_numpy_iterator():
        np.testing.assert_array_equal(batch["label"], batch["image"][:, 0, 0, 0] >= 40)
    assert capsys.readouterr().err.count("left out") == 2


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        open_source(DataConfig(f"folder:{tmp_path / 'none'}"), SHAPE)
    with pytest.raises(DataError, match="no images"):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)
    for name in "abc":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match="in a folder of its class"):
        open_source(DataConfig(f"folder:{tmp_path}", labels=True), SHAPE)


# The original's TFRecords.


def write_tfrecords(root, split, images, r=5, shards=2, attributes=None, labels=None):
    (root / split).mkdir(parents=True, exist_ok=True)
    for s in range(shards):
        name = f"{split}-r{r:02d}-s-{s:04d}-of-{shards:04d}.tfrecords"
        with tf.io.TFRecordWriter(str(root / split / name)) as writer:
            for i in range(s, len(images), shards):
                ints = {"shape": images[i].shape, "label": [0 if labels is None else labels[i]]}
                if attributes is not None:
                    ints["attr"] = attributes[i]
                feature = {k: tf.train.Feature(int64_list=tf.train.Int64List(value=v)) for k, v in ints.items()}
                feature["data"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[images[i].tobytes()]))
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return root


def test_tfrecords_with_attributes(tmp_path):
    images, tags = colour(7), RNG.choice([-1, 1], (7, 40))
    write_tfrecords(tmp_path, "train", images, attributes=tags)
    write_tfrecords(tmp_path, "validation", images[:3], attributes=tags[:3])
    config = DataConfig(f"tfrecord:{tmp_path}")
    source = open_source(config, SHAPE)
    assert source.size("test") == 3, "what the original calls validation is its test set"
    assert len(source.attribute_names) == 40 and source.attribute_names[31] == "Smiling"
    found, _, attributes = arrays(source, "test", config)
    order = [0, 2, 1]
    np.testing.assert_array_equal(found, images[order])
    np.testing.assert_array_equal(attributes, tags[order])


def test_tfrecords_random_crops_and_labels(tmp_path):
    images, labels = colour(6, 12), [0, 1, 2, 0, 1, 2]
    write_tfrecords(tmp_path, "train", images, r=4, labels=labels)
    write_tfrecords(tmp_path, "validation", images, r=4, labels=labels)
    config = DataConfig(f"tfrecord:{tmp_path}", fit="random_crop", labels=True)
    source = open_source(config, SHAPE)
    assert source.classes == 3
    batches = pipeline.training_batches(source, config, image_shape=SHAPE, batch_size=6, seed=0)
    batch = next(iter(batches))
    windows = np.lib.stride_tricks.sliding_window_view(images, (8, 8), axis=(1, 2))
    for crop, label in zip(batch["image"].numpy(), batch["label"].numpy(), strict=True):
        hits = np.all(windows == np.moveaxis(crop, -1, 0)[None, None, None], axis=(3, 4, 5))
        assert hits.sum() == 1 and labels[int(np.argwhere(hits)[0][0])] == label


def test_tfrecords_that_are_incomplete(tmp_path):
    write_tfrecords(tmp_path, "train", colour(6), shards=3)
    next((tmp_path / "train").glob("*s-0001*")).unlink()
    with pytest.raises(DataError, match="promise 3 files, there are 2"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)
    with pytest.raises(DataError, match="found none"):
        open_source(DataConfig(f"tfrecord:{tmp_path / 'none'}"), SHAPE)


def test_a_tfrecord_that_is_cut_off(tmp_path):
    write_tfrecords(tmp_path, "train", colour(4), shards=1)
    path = next((tmp_path / "train").iterdir())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cut off in record 3"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)


def damage_record(path, number):
    """Overwrites the middle of a record, not its length."""
    content, offset = bytearray(path.read_bytes()), 0
    for _ in range(number):
        offset += 16 + struct.unpack_from("<Q", content, offset)[0]
    content[offset + 24 : offset + 64] = b"\xff" * 40
    path.write_bytes(content)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_tfrecord_is_named_and_skipped_or_stops_the_run(number, labels, tmp_path, capsys):
    tags = RNG.choice([-1, 1], (40, 40))
    write_tfrecords(tmp_path, "train", colour(40), shards=1, labels=[0, 2] * 20, attributes=tags)
    damage_record(next((tmp_path / "train").iterdir()), number)
    config = DataConfig(f"tfrecord:{tmp_path}", on_damaged="skip", labels=labels)
    source = open_source(config, SHAPE)
    assert source.classes == (3 if labels else 0) and len(source.attribute_names) == 40
    assert read_all(config) == 39
    assert re.search(r"left out: .*train-r05-s-0000-of-0001.tfrecords, the record at byte", capsys.readouterr().err)
    err = message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop"))
    assert "train-r05-s-0000-of-0001.tfrecords, the record at byte" in err


def test_tfrecords_of_which_none_can_be_read(tmp_path):
    write_tfrecords(tmp_path, "train", colour(2), shards=1)
    for number in (0, 1):
        damage_record(next((tmp_path / "train").iterdir()), number)
    with pytest.raises(DataError, match="none of the 2 training records can be read"):
        open_source(DataConfig(f"tfrecord:{tmp_path}"), SHAPE)


# LSUN's LMDB.


def write_lmdb(root, end, images):
    """LSUN's database `<root>/tower_<end>_lmdb` of images or of what else is to be found there, as bytes."""
    lmdb = pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    with lmdb.open(str(root / f"tower_{end}_lmdb"), map_size=1 << 22) as environment:
        with environment.begin(write=True) as transaction:
            for i, image in enumerate(images):
                transaction.put(f"key{i:02d}".encode(), image if isinstance(image, bytes) else encoded(image, "webp"))


def encoded(image, form):
    """An image file as bytes."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, lossless=True)
    return file.getvalue()


def test_lsun_lmdb(tmp_path):
    images = colour(5, 10)
    write_lmdb(tmp_path, "train", images[:4])
    write_lmdb(tmp_path, "val", images[4:])
    config = DataConfig(f"lsun-lmdb:{tmp_path / 'tower'}", fit="crop")
    source = open_source(config, SHAPE)
    assert [source.size(s) for s in ("train", "validation", "test")] == [3, 1, 1]
    np.testing.assert_array_equal(arrays(source, "test", config)[0], images[4:, 1:9, 1:9])
    again = open_source(config, SHAPE)
    np.testing.assert_array_equal(arrays(again, "test", config)[0], images[4:, 1:9, 1:9])


def test_databases_that_are_refused(tmp_path):
    pytest.importorskip("lmdb", reason="the extra lmdb is not installed")
    config = DataConfig(f"lsun-lmdb:{tmp_path}")
    with pytest.raises(DataError, match="no database"):
        open_source(config, SHAPE)
    (tmp_path / "data.mdb").write_bytes(b"nonsense" * 1000)
    with pytest.raises(DataError, match="cannot be read as an LMDB database"):
        open_source(config, SHAPE)


def test_a_damaged_lmdb_record_is_named_and_skipped_or_stops_the_run(tmp_path, capsys):
    good = colour(7)
    write_lmdb(tmp_path, "train", [*good[:3], encoded(good[3], "webp")[:50], *good[4:]])
    write_lmdb(tmp_path, "val", good[:2])
    config = DataConfig(f"lsun-lmdb:{tmp_path / 'tower'}", on_damaged="skip")
    assert read_all(config) == 6
    assert re.search(r"left out: .*tower_train_lmdb, key key03 cannot be read as an image", capsys.readouterr().err)
    err = message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop"))
    assert "tower_train_lmdb, key key03 cannot be read as an image" in err


# TFDS.

NAMED = {
    "mnist": ((28, 28, 1), 10, ""),
    "fashion_mnist": ((28, 28, 1), 10, ""),
    "cifar10": ((32, 32, 3), 10, ""),
    "svhn_cropped": ((32, 32, 3), 10, ""),
    "downsampled_imagenet/32x32": ((32, 32, 3), 0, "oord"),
    "downsampled_imagenet/64x64": ((64, 64, 3), 0, "oord"),
    "imagenet_resized/32x32": ((32, 32, 3), 1000, "box"),
    "celeb_a_hq/256": ((256, 256, 3), 0, ""),
    "oxford_flowers102": ((64, 64, 3), 102, ""),
}


@pytest.mark.parametrize("name", NAMED)
def test_tfds(name, monkeypatch):
    shape, classes, variant = NAMED[name]
    with tfds.testing.mock_data(num_examples=24):
        config = DataConfig(f"tfds:{name}", fit="resize")
        source = open_source(config, shape)
        assert source.classes == classes and source.variant == variant
        for split in ("train", "validation", "test"):
            images, labels, _ = arrays(source, split, config, shape, 2)
            assert images.shape[1:] == shape and (labels < max(classes, 1)).all()


class TinyColours(tfds.core.GeneratorBasedBuilder):
    """Twenty images, of which one is none."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=SHAPE)})
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(colour(20)):
            yield i, {"image": io.BytesIO(b"no picture" if i == 3 else encoded(image, "png"))}


@pytest.mark.parametrize("damaged", ["image", "file"])
def test_a_damaged_tfds_record_is_named_and_skipped_or_stops_the_run(damaged, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=tmp_path))
    builder = tfds.builder("tiny_colours", file_format="array_record")
    builder.download_and_prepare()
    if damaged == "file":
        path = next(pathlib.Path(builder.data_dir).glob("*train.array_record*"))
        path.write_bytes(path.read_bytes().replace(b"no picture", b"no-picture"))
    config = DataConfig("tfds:tiny_colours", on_damaged="skip")
    capsys.readouterr()
    assert read_all(config) == 19
    name = r"tfds:tiny_colours, train record \d+ cannot be read: "
    why = "cannot identify image file" if damaged == "image" else "Corrupted"
    assert re.search(f"left out: {name}.*{why}", capsys.readouterr().err)
    assert re.search(name + f".*{why}", message_that_stops(capsys, dataclasses.replace(config, on_damaged="stop")))


def test_tfds_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network here")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", offline)
    with pytest.raises(DataError, match=r"could not be prepared in .*cifar10.* prepare it where there is a network"):
        open_source(DataConfig("tfds:cifar10"), (32, 32, 3))
    with pytest.raises(DataError, match=r"--source folder:PATH"):
        open_source(DataConfig("tfds:downsampled_imagenet/32x32"), (32, 32, 3))
    with pytest.raises(DataError, match="TFDS has no such data set"):
        open_source(DataConfig("tfds:no_such_thing"), (32, 32, 3))
