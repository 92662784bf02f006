"""Test that batches do not depend on the batch size, the number of machines or the step of a resumed run."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.config import SOURCE_KINDS, DataConfig
from glow_tf.data import OPENERS, open_source, pipeline, random_streams
from glow_tf.errors import DataError

CONFIG = DataConfig("bundled:digits", augment="full", flip=True)
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def source():
    return open_source(CONFIG, SHAPE)


def take(source, count, config=CONFIG, **options):
    options = {"image_shape": SHAPE, "batch_size": 16, "seed": 3, **options}
    return list(itertools.islice(pipeline.training_batches(source, config, **options).as_numpy_iterator(), count))


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_training_batch_shapes_types_and_ranges(source):
    batch = take(source, 1)[0]
    assert batch["image"].shape == (16, 8, 8, 1) and batch["image"].dtype == np.uint8
    assert batch["noise"].dtype == np.float32 and batch["noise"].min() >= 0 and batch["noise"].max() < 1
    assert batch["label"].shape == (16,) and (batch["weight"] == 1).all()
    np.testing.assert_array_equal(batch["index"], np.arange(16))


def test_training_batches_do_not_depend_on_the_start_step(source):
    whole = take(source, 100)
    for start in (1, 37, 99):
        assert_same(take(source, 1, start_step=start)[0], whole[start])


def test_pipeline_seed_changes_images_labels_and_noise(source):
    one, two = take(source, 1)[0], take(source, 1, seed=4)[0]
    for key in ("image", "label", "noise"):
        assert np.any(one[key] != two[key]), key


def test_each_machine_reads_a_contiguous_part_of_the_batch(source):
    machines = [take(source, 3, input_pipelines=2, input_pipeline_id=i) for i in range(2)]
    for whole, *parts in zip(take(source, 3), *machines, strict=True):
        assert_same({k: np.concatenate([p[k] for p in parts]) for k in whole}, whole)


@pytest.mark.slow
def test_each_machine_resumes_at_its_part_of_the_batch(source):
    whole = take(source, 3)[2]
    parts = [take(source, 1, start_step=2, input_pipelines=4, input_pipeline_id=i)[0] for i in range(4)]
    assert_same({k: np.concatenate([p[k] for p in parts]) for k in whole}, whole)


def test_each_training_epoch_is_a_new_permutation(source):
    plain = DataConfig("bundled:digits", labels=True)
    size = source.size("train")
    images = np.concatenate([b["image"] for b in take(source, -(-2 * size // 16), plain)])
    real = pipeline.arrays(source, "train", plain, SHAPE)[0]
    as_set = lambda x: sorted(i.tobytes() for i in x)  # noqa: E731
    assert as_set(images[:size]) == as_set(images[size : 2 * size]) == as_set(real)
    assert np.any(images[:size] != images[size : 2 * size])


def test_dequantization_noise_is_new_in_each_epoch(source):
    size = source.size("train")
    first = take(source, 1)[0]["noise"]
    epoch = np.concatenate([batch["noise"] for batch in take(source, 2, start_step=size // 16)])
    second = epoch[size % 16 :][:16]  # at the same positions of the second epoch
    assert np.all(first != second)


def test_order_and_noise_are_those_of_earlier_versions(source):
    positions = np.arange(95, 105)  # around the end of an epoch of 100
    order = random_streams.shuffled(tf.constant(positions), 100, seed=3).numpy()
    shuffle = tf.random.experimental.index_shuffle
    for position, index in zip(positions.tolist(), order.tolist(), strict=True):
        key = [3 * 1_000_003 + random_streams.ORDER, position // 100]
        assert index == int(shuffle(position % 100, tf.constant(key, tf.int64), tf.constant(99, tf.int64)))
    whole = take(source, 2, batch_size=130)  # of several groups
    singly = take(source, 20, batch_size=13)
    assert_same(*({k: np.concatenate([b[k] for b in part]) for k in part[0]} for part in (whole, singly)))
    noise = tf.random.stateless_uniform(SHAPE, tf.constant([3 * 1_000_003 + random_streams.NOISE, 130], tf.int64))
    np.testing.assert_array_equal(whole[1]["noise"][0], noise)


@pytest.fixture(scope="module")
def evaluation_noise(source):
    """Return the noise of all test images, which are one batch."""
    return next(iter(pipeline.evaluation_batches(source, "test", CONFIG, image_shape=SHAPE, batch_size=300, seed=0)))[
        "noise"
    ]


@pytest.mark.parametrize("batch_size", [7, 16, 1000])
def test_evaluation_batches_hold_each_image_once(source, evaluation_noise, batch_size):
    options = dict(image_shape=SHAPE, batch_size=batch_size, seed=0)
    batches = list(pipeline.evaluation_batches(source, "test", CONFIG, **options).as_numpy_iterator())
    weight = np.concatenate([b["weight"] for b in batches])
    assert weight.sum() == source.size("test") == 300
    assert len(weight) % batch_size == 0
    index = np.concatenate([b["index"] for b in batches])[weight > 0]
    np.testing.assert_array_equal(index, np.arange(300))
    noise = np.concatenate([b["noise"] for b in batches])[weight > 0]
    np.testing.assert_array_equal(noise, evaluation_noise)
    again = next(iter(pipeline.evaluation_batches(source, "test", CONFIG, draw=1, **options)))
    assert np.all(again["noise"][0] != noise[0])


def test_arrays_of_given_rows_are_read_in_their_order(source):
    images, labels, _ = pipeline.arrays(source, "test", CONFIG, SHAPE)
    order = np.array([70, 3, 3, 299, *range(100)])
    rows = source.rows_of("test")[order]
    chosen_images, chosen_labels, _ = pipeline.arrays(source, "test", CONFIG, SHAPE, rows=rows)
    np.testing.assert_array_equal(chosen_images, images[order])
    np.testing.assert_array_equal(chosen_labels, labels[order])
    assert len(pipeline.arrays(source, "test", CONFIG, SHAPE, 5, rows)[0]) == 5
    with pytest.raises(DataError, match="no images to read"):
        pipeline.arrays(source, "test", CONFIG, SHAPE, rows=[])


def test_numbers_of_random_streams_are_fixed():
    streams = (random_streams.ORDER, random_streams.AUGMENTATION, random_streams.NOISE, random_streams.EVALUATION)
    assert streams == (0, 1, 2, 3), "other numbers would change every run"
    assert max(streams) == random_streams.EVALUATION, "draw n of an evaluation is stream EVALUATION + n"


def test_every_kind_of_source_has_an_opener():
    assert tuple(OPENERS) == SOURCE_KINDS


def test_train_validation_and_test_splits_are_disjoint(source):
    rows = [set(source.rows_of(s)) for s in ("train", "validation", "test")]
    assert sum(map(len, rows)) == len(set.union(*rows)) == 1797


def test_paper_protocol_validates_on_the_test_split():
    paper = open_source(DataConfig("bundled:digits", paper_protocol=True), SHAPE)
    assert paper.size("train") == 1797 - 300
    np.testing.assert_array_equal(paper.rows_of("validation"), paper.rows_of("test"))
