"""Test that every way into a conditional model takes the same labels and that no other label becomes a number."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import batched, labels
from glow_tf.errors import DataError
from glow_tf.interpolation import interpolate
from glow_tf.layers import GlowFlow, TopPrior
from helpers.glow_models import make_glow
from helpers.marks import slow_but

SMALLEST = dict(image_shape=(4, 4, 1), levels=1, depth=1, width=4)
LABELS = np.array([0, 1, 2, 0, 1, 2])
ONE_HOT = np.eye(3)[LABELS]


@pytest.fixture(scope="module")
def conditional():
    """Make a conditional model with a classifier, and its images."""
    return make_glow(classes=3, weight_y=0.1, **SMALLEST)[:2]


DOORS = {
    "log_prob": lambda model, images, y: model.log_prob(images, y, seed=0),
    "encode": lambda model, images, y: model.encode(images, y)[-1],
    "call": lambda model, images, y: model(images, tf.convert_to_tensor(y))[-1],
    "decode": lambda model, images, y: model.flow.decode(model.sample_latents(6, seed=0), y)[0],
    "flow": lambda model, images, y: model.flow.encode(model.dequantize(images, noise=0.5), y)[1],
    "prior": lambda model, images, y: model.flow.prior.encode(tf.ones([6, 2, 2, 4], "float64"), y)[0],
    "distribution": lambda model, images, y: model.distribution(labels=y).log_prob(model.dequantize(images, noise=0.5)),
    "flat distribution": lambda model, images, y: model.distribution(labels=y, flat=True).log_prob(
        model.dequantize(images, noise=0.5)
    ),
    "discrete distribution": lambda model, images, y: model.distribution(labels=y, discrete=True, seed=0).log_prob(
        images
    ),
    "bijector": lambda model, images, y: model.as_bijector(labels=y).inverse(model.dequantize(images, noise=0.5))[-1],
}
"""Functions of `(model, images, labels)` with one row of floats per image."""


@pytest.mark.parametrize("door", DOORS)
def test_column_of_labels_equals_a_vector_and_a_label_out_of_range_is_refused(door, conditional):
    call = DOORS[door]
    expected = call(*conditional, LABELS)
    for form in (LABELS[:, None], LABELS.astype(np.uint8), LABELS.tolist(), tf.constant(LABELS, tf.int64)):
        if door != "bijector" or np.ndim(form) == 1:  # whose labels broadcast against any leading dimensions
            np.testing.assert_array_equal(call(*conditional, form), expected)
    for wrong in (LABELS + 1, LABELS - 1, [0, 0, 0, 0, 0, 2**32]):
        with pytest.raises(DataError, match=r"expected labels from 0 to 2, got (0|1|-1) to (3|1|4294967296)"):
            call(*conditional, wrong)
    with pytest.raises(TypeError, match="expected integer labels from 0 to 2, got float64"):
        call(*conditional, LABELS.astype(float))


@pytest.mark.parametrize("door", slow_but(["prior"], ["log_prob", "prior", "distribution"]))
def test_label_out_of_range_is_refused_in_a_graph(door, conditional):
    graph = tf.function(lambda y: DOORS[door](*conditional, y), input_signature=[tf.TensorSpec([6], tf.int64)])
    np.testing.assert_allclose(graph(LABELS), DOORS[door](*conditional, LABELS), rtol=1e-9)
    for wrong in ([0, 1, 2, 0, 1, 3], [0, 1, -1, 0, 1, 2], [0, 1, 2, 0, 1, 2**32 + 1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected labels from 0 to 2, got"):
            graph(wrong)


@pytest.mark.slow
def test_label_out_of_range_gives_nan_under_xla(conditional):
    model, images = conditional
    compiled = tf.function(lambda y: model.objective(images, y, noise=0.5), autograph=False, jit_compile=True)
    wrong = np.array([0, 3, 2, 2**32 + 1, 1, 2], np.uint64)
    expected = model.objective(images, np.where(wrong > 2, 0, wrong), noise=0.5)
    for name, values in compiled(tf.constant(wrong)).items():
        np.testing.assert_allclose(values, np.where(wrong > 2, np.nan, expected[name]), rtol=1e-6, err_msg=name)


def test_guard_against_invalid_labels_keeps_every_bit_of_the_others():
    values = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), tf.float32)
    guarded = labels.nan_where_invalid(values, tf.constant([0, labels.INVALID, 2, 1]))
    np.testing.assert_array_equal(guarded, np.where([[False], [True], [False], [False]], np.nan, values))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (None, ValueError, "conditional on 3 classes; give labels from 0 to 2"),
        (ONE_HOT, TypeError, r"got float64 \[6, 3\]; .*one-hot rows by tf.argmax"),
        (ONE_HOT.astype(int), DataError, r"got the shape \[6, 3\]; for one-hot rows give tf.argmax"),
        ({"label": LABELS}, TypeError, "got a dictionary of label; give the entry that has them"),
        (LABELS == 1, TypeError, "got bool"),
        (["0"] * 6, TypeError, "got string"),
        ([[1], [1, 2]], TypeError, "got a list: Can't convert"),
        ([2**70] * 6, TypeError, "got a list: Can't convert"),
        ([0, 1, 2], DataError, "one label per image, or one for all; got 3 for 6 images"),
        ([], DataError, "got 0 for 6 images"),
    ],
)
def test_unusable_labels_are_refused_with_what_to_give(wrong, error, message, conditional):
    model, images = conditional
    for call in (model.encode, lambda *args: model.log_prob(*args, seed=0), model.initialize):
        with pytest.raises(error, match=message):
            call(images, wrong)
    with pytest.raises(error, match=message):
        model.sample(6, labels=wrong, seed=0)


def test_one_label_serves_all_images(conditional):
    model, images = conditional
    expected = model.log_prob(images, np.full(6, 2), seed=0)
    for form in (2, np.int64(2), [2], [[2]]):
        np.testing.assert_array_equal(model.log_prob(images, form, seed=0), expected)


@pytest.mark.slow
def test_list_of_labels_of_a_graph_is_taken(conditional):
    model, images = conditional
    graph = tf.function(lambda y: model.log_prob(images[:2], [y, y + 1], seed=0))
    np.testing.assert_allclose(graph(tf.constant(1)), model.log_prob(images[:2], [1, 2], seed=0), rtol=1e-6)


def test_number_of_labels_is_checked_in_a_graph(conditional):
    model, images = conditional
    graph = tf.function(lambda y: model.log_prob(images, y, seed=0), input_signature=[tf.TensorSpec(None, tf.int32)])
    assert graph(LABELS[:, None]).shape == 6 and graph(2).shape == 6
    for wrong in (LABELS[:3], ONE_HOT):
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected one label per image, or one for all"):
            graph(wrong)


def test_labels_are_counted_before_images_are_divided_into_chunks(conditional, monkeypatch):
    model, images = conditional
    monkeypatch.setattr(batched, "chunk_size", lambda model: 2)
    z = batched.encode(model, images, LABELS[:, None])
    np.testing.assert_array_equal(z, batched.encode(model, images, LABELS))
    calls = [batched.encode, batched.bits_per_dim, lambda model, images, y: batched.decode(model, z, y)]
    for call in calls:
        for wrong in (LABELS[:5], np.arange(7) % 3):  # the last chunk of five labels has one, for two images
            with pytest.raises(DataError, match=f"got {len(wrong)} for 6 images"):
                call(model, images, wrong)


def test_chunks_do_not_change_the_noise_of_bits_per_dim(conditional, monkeypatch):
    model, images = conditional
    expected = batched.bits_per_dim(model, images, LABELS, seed=1)
    monkeypatch.setattr(batched, "chunk_size", lambda model: 4)
    np.testing.assert_allclose(batched.bits_per_dim(model, images, LABELS, seed=1), expected, rtol=1e-5)


def test_one_label_serves_all_pairs_of_an_interpolation(conditional):
    model, images = conditional
    expected = interpolate(model, images[:2], images[2:4], 3, [1, 1])
    np.testing.assert_array_equal(interpolate(model, images[:2], images[2:4], 3, 1), expected)


def test_unconditional_model_refuses_labels_everywhere():
    model, images, _ = make_glow(**SMALLEST)
    for door, call in DOORS.items():
        if door != "prior":  # a part of a flow whose other layers may read the condition
            with pytest.raises(ValueError, match="unconditional and takes no labels"):
                call(model, images, LABELS)
    with pytest.raises(ValueError, match="unconditional and takes no labels"):
        batched.encode(model, images, LABELS)


def test_flow_layers_check_the_shape_of_labels():
    flow = GlowFlow(levels=1, depth=1, width=4, classes=3)
    x = tf.random.stateless_normal([6, 4, 4, 1], [1, 2])
    flow.initialize(x, LABELS[:, None])
    with pytest.raises(ValueError, match=r"broadcast to the leading dimensions \[6\], got the shape \[3\]"):
        flow.encode(x, [0, 1, 2])
    with pytest.raises(TypeError, match="got a dictionary of label"):
        flow.encode(x, {"label": LABELS})
    prior = TopPrior(classes=3)
    np.testing.assert_array_equal(prior.initialize(x, 2), prior.encode(x, [2] * 6)[0])


@pytest.mark.slow
def test_fit_takes_columns_and_refuses_other_labels(conditional):
    _, images = conditional
    model, _, _ = make_glow(classes=3, weight_y=0.1, **SMALLEST)
    model.compile("adam", run_eagerly=True)

    def loss(y):
        return model.evaluate(images, y, verbose=0)[0]

    assert loss(LABELS[:, None].astype(np.uint8)) == loss(LABELS)
    for wrong, message in (
        (LABELS + 1, "expected labels from 0 to 2, got 1 to 3"),
        (ONE_HOT, "got float32 .*one-hot rows by tf.argmax"),
        (ONE_HOT.astype(int), "one-hot rows give tf.argmax"),
        (None, "conditional on 3 classes; give labels"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(images, wrong, verbose=0)
    dictionaries = tf.data.Dataset.from_tensors({"image": images, "label": LABELS})
    with pytest.raises(TypeError, match=r"got a dictionary of image, label; map .* to \(image, label\)"):
        model.fit(dictionaries, verbose=0)


@pytest.mark.slow
def test_compiled_step_of_keras_refuses_labels_out_of_range(conditional):
    _, images = conditional
    model, _, _ = make_glow(classes=3, **SMALLEST)
    model.compile("adam")
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected labels from 0 to 2, got"):
        model.evaluate(images, LABELS + 1, verbose=0)
