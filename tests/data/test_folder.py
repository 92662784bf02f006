"""Test folders of image files."""

import numpy as np
import pytest
from PIL import Image

from glow_tf.config import DataConfig
from glow_tf.data import open_source, pipeline
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, arrays, message_that_stops, rows_of_splits


def make_folder(root, per_class=6):
    for c, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            Image.fromarray(np.full((8, 8, 3), 40 * c + i, np.uint8)).save(root / name / f"{i}.png")
    return root


def test_class_folders_give_labels(tmp_path):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'f')}", labels=True)
    source = open_source(config, SHAPE)
    assert source.class_names == ("cat", "dog")
    images, labels, _ = arrays(source, "train", config)
    np.testing.assert_array_equal(labels, images[:, 0, 0, 0] >= 40)
    sizes = [source.size(s) for s in ("train", "validation", "test")]
    assert sum(sizes) == 12 and min(sizes) >= 1


def test_split_folders_define_the_splits(tmp_path):
    for split in ("train", "val", "test"):
        make_folder(tmp_path / "f" / split, 3)
    source = open_source(DataConfig(f"folder:{tmp_path / 'f'}"), SHAPE)
    assert [source.size(s) for s in ("train", "validation", "test")] == [6, 6, 6]


def test_every_image_format_and_mode_is_decoded(tmp_path):
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
    decoded = arrays(source, "test", config, rows=rows_of_splits(source))[0]
    colors = sorted(tuple(int(v) for v in image[4, 4]) for image in decoded)
    assert len(colors) == 7
    assert (255, 255, 255) in colors, "transparent is white"
    assert sum(abs(c[0] - 200) + abs(c[1] - 100) + abs(c[2] - 50) < 12 for c in colors) == 5
    assert sum(c[0] == c[1] == c[2] < 255 for c in colors) == 1


def damaged_folder(tmp_path):
    root = make_folder(tmp_path / "f" / "train")
    (root / "cat" / "3.png").write_bytes(b"no picture")
    make_folder(tmp_path / "f" / "test", 2)
    (tmp_path / "f" / "test" / "dog" / "1.png").write_bytes(b"no picture")
    return tmp_path / "f"


def test_a_damaged_image_file_stops_the_run_with_its_name(tmp_path, capsys):
    err = message_that_stops(capsys, DataConfig(f"folder:{damaged_folder(tmp_path)}"))
    assert "cat/3.png cannot be read as an image" in err


def test_a_damaged_image_file_is_named_and_skipped(tmp_path, caplog):
    config = DataConfig(f"folder:{damaged_folder(tmp_path)}", on_damaged="skip", labels=True)
    source = open_source(config, SHAPE)
    images, _labels, _ = arrays(source, "test", config)
    assert len(images) == 3, "left out of an evaluation"
    batches = pipeline.training_batches(source, config, image_shape=SHAPE, batch_size=12, seed=0).take(3)
    for batch in batches.as_numpy_iterator():
        np.testing.assert_array_equal(batch["label"], batch["image"][:, 0, 0, 0] >= 40)
    assert ["left out" in message for message in caplog.messages] == [True, True]


def test_folder_of_damaged_images_alone_stops_the_run_though_it_may_skip_them(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    source = open_source(DataConfig(f"folder:{tmp_path}", on_damaged="skip"), SHAPE)
    *others, last = source.rows_of("train")
    assert not any(source._load_checked(row)[3] for row in others)
    with pytest.raises(
        DataError, match=r"none of the training images \(2\) can be read; the last: .*cannot be read as"
    ):
        source._load_checked(last)


def test_an_image_file_of_another_size_stops_the_run(tmp_path):
    config = DataConfig(f"folder:{make_folder(tmp_path / 'f')}")
    source = open_source(config, (4, 4, 3))
    with pytest.raises(DataError, match="an image is 8x8, the model takes 4x4"):
        arrays(source, "train", config, (4, 4, 3))


def test_invalid_image_folders_are_rejected(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        open_source(DataConfig(f"folder:{tmp_path / 'none'}"), SHAPE)
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"expected a folder, .*a\.png is a file"):
        open_source(DataConfig(f"folder:{tmp_path / 'a.png'}"), SHAPE)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="no images"):
        open_source(DataConfig(f"folder:{tmp_path}"), SHAPE)
    for name in "abc":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match="in a folder of its class"):
        open_source(DataConfig(f"folder:{tmp_path}", labels=True), SHAPE)
