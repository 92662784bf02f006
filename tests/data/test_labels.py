"""Test that labels which are no classes are refused in one sentence, in every source, and fast."""

import tracemalloc
import warnings

import numpy as np
import pytest

from glow_tf.config import DataConfig
from glow_tf.data import open_source
from glow_tf.data.files import RecordSource
from glow_tf.errors import DataError
from helpers.source_cases import SHAPE, color_images, write_tfrecords

COUNT = 12
GOOD = np.arange(COUNT) % 3

NO_CLASSES = {
    "2^31": np.where(GOOD == 1, 2**31, GOOD),
    "2^40": np.where(GOOD == 1, 2**40, GOOD),
    "2^63": np.where(GOOD == 1, np.uint64(2**63), GOOD.astype(np.uint64)),
    "2^64 - 1": np.full(COUNT, 2**64 - 1, np.uint64),
    "millions": np.arange(COUNT) * 10**6,
    "negative": GOOD - 1,
}


def npz(tmp_path, labels):
    np.savez(tmp_path / "a.npz", images=color_images(COUNT), labels=labels)
    return f"npz:{tmp_path / 'a.npz'}"


def records(tmp_path, labels):
    write_tfrecords(tmp_path, "train", color_images(COUNT), shards=1, labels=labels)
    return f"tfrecord:{tmp_path}"


def message(source, labels=True):
    """Return the one sentence with which a source is refused; check that it takes little memory."""
    tracemalloc.start()
    with pytest.raises(DataError) as error:
        open_source(DataConfig(source, labels=labels), SHAPE)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    return str(error.value)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("case", NO_CLASSES)
def test_array_labels_that_are_no_classes_are_refused(case, asked, tmp_path):
    labels = NO_CLASSES[case]
    expected = f"expected labels 0 ... classes - 1, of at most 100,000 classes, got labels from {labels.min()} to"
    assert expected in message(npz(tmp_path, labels), asked)


@pytest.mark.parametrize(
    "labels", [GOOD.astype(np.float32), GOOD[:-1], np.eye(3, dtype=int)[GOOD], GOOD.astype(bool), GOOD.astype(str)]
)
def test_array_labels_of_another_type_or_shape_are_refused(labels, tmp_path):
    got = f"got {labels.dtype} {labels.shape}"
    assert f"expected one label per image, integers [12] from 0, {got}" in message(npz(tmp_path, labels))


@pytest.mark.parametrize("case", ["2^40", "millions", "negative"])
def test_record_labels_that_are_no_classes_are_refused_if_labels_are_asked_for(case, tmp_path):
    source = records(tmp_path, NO_CLASSES[case])
    assert "expected labels 0 ... classes - 1, of at most 100,000 classes" in message(source)
    unlabeled = open_source(DataConfig(source), SHAPE)
    assert unlabeled.classes == 0 and int(unlabeled._load_checked(1)[1]) == 0


@pytest.mark.parametrize(("labels", "got"), [([[]] * COUNT, "none"), ([[1, 2]] * COUNT, "2")])
def test_records_without_a_single_label_are_refused_if_labels_are_asked_for(labels, got, tmp_path):
    assert f"the record at byte 12: expected one integer as the label, got {got}" in message(records(tmp_path, labels))


@pytest.mark.parametrize("make", [npz, records])
def test_labels_with_gaps_are_said_to_make_classes_without_images(make, tmp_path):
    source = make(tmp_path, np.array([3, 70, 900])[GOOD])
    with pytest.warns(UserWarning, match="labels up to 900 make 901 classes, and there are images of 3 of them only"):
        assert open_source(DataConfig(source, labels=True), SHAPE).classes == 901
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_source(DataConfig(source), SHAPE)
        open_source(DataConfig(make(tmp_path, GOOD), labels=True), SHAPE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_column_of_labels_is_taken(dtype, tmp_path):
    source = open_source(DataConfig(npz(tmp_path, GOOD[:, None].astype(dtype)), labels=True), SHAPE)
    np.testing.assert_array_equal(source.labels, GOOD)
    assert source.classes == 3


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_label_of_a_single_record_that_is_no_class_stops_the_run_if_labels_are_asked_for(label):
    def read(labels):
        load = lambda row: (np.zeros(SHAPE, np.uint8), label, None)  # noqa: E731
        source = RecordSource("x", {}, load, check=lambda shape: None, labels=labels, class_names="abc")
        return int(source._load_checked(np.int64(5))[1])

    with pytest.raises(DataError, match=f"x: image 5 has the label {label}, expected 0 to 2"):
        read(labels=True)
    assert read(labels=False) == -1


def test_labels_that_a_source_does_not_have_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", color_images(COUNT))
    assert "labels are wanted, and it has none" in message(f"npy:{tmp_path / 'a.npy'}")
