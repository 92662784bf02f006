"""Test that every argument of the Python API which cannot be meant is refused with one sentence."""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import arguments, attributes, batched, labels, latents, quantization
from glow_tf.errors import DataError
from glow_tf.interpolation import interpolate, interpolate_latents
from glow_tf.layers import Split
from helpers import layer_cases
from helpers.glow_models import make_glow

SMALL = dict(image_shape=(4, 4, 1), levels=2, depth=1, width=4)


@pytest.fixture(scope="module")
def glow():
    """Make a model and its six images."""
    return make_glow(**SMALL)[:2]


def latents_of(model, n=2):
    return [np.zeros((n, *shape)) for shape in model.latent_shapes]


def decode(change):
    return lambda model, images: model.decode(change(latents_of(model)))


WRONG = {
    "negative count": (lambda m, x: m.sample(-1), "sample: expected an integer of at least 0, got -1"),
    "count of a float": (lambda m, x: m.sample(2.0), "sample: expected an integer of at least 0, got 2.0"),
    "count of a bool": (lambda m, x: m.sample_latents(True), "expected an integer of at least 0, got True"),
    "count of a vector": (lambda m, x: m.sample(np.array([2])), r"expected an integer of at least 0, got \[2\]"),
    "negative temperature": (lambda m, x: m.sample(2, -0.5), "expected a finite temperature of 0 or more, got -0.5"),
    "NaN temperature": (lambda m, x: m.sample_latents(2, [1, np.nan]), "expected a finite temperature of 0 or more"),
    "infinite temperature": (lambda m, x: m.sample(2, tf.constant(np.inf)), "expected a finite temperature .* got inf"),
    "temperatures of another number": (lambda m, x: m.sample(2, [1, 1, 1]), r"one temperature per image, got .*\[3\]"),
    "temperature of text": (lambda m, x: m.sample(2, "warm"), "sample: expected a number as temperature, got warm"),
    "seed of a float": (lambda m, x: m.sample(2, seed=1.5), "sample: expected as seed an int or two, got float32"),
    "three seeds": (lambda m, x: m.log_prob(x, seed=[1, 2, 3]), r"dequantization: .* int or two, got the shape \[3\]"),
    "seed of 33 bits": (
        lambda m, x: m.sample(2, seed=2**32 + 1),
        "an int or two of 32 bits .*, got 4294967297",
    ),
    "unsigned seed": (lambda m, x: m.sample(2, seed=np.uint32([1, 2**31])), "of 32 bits .*, got .*2147483648"),
    "seed of text": (lambda m, x: m.encode(x, seed="a"), "an int or two, got string"),
    "noise of 7": (lambda m, x: m.log_prob(x, noise=7.0), r"dequantization: expected noise in \[0, 1\), got values"),
    "noise of 1": (lambda m, x: m.encode(x, noise=np.ones(x.shape)), r"expected noise in \[0, 1\)"),
    "negative noise": (lambda m, x: m.bits_per_dim(x, noise=np.full(x.shape, -1e-3)), r"expected noise in \[0, 1\)"),
    "NaN noise": (lambda m, x: m.initialize(x, noise=np.full(x.shape, np.nan)), r"in \[0, 1\), got .* or NaN"),
    "noise of int": (lambda m, x: m.log_prob(x, noise=np.zeros(x.shape, int)), r"as floats in \[0, 1\), got int64"),
    "noise of another shape": (
        lambda m, x: m.log_prob(x, noise=np.zeros((3, 4, 4, 1))),
        r"images' shape \(6, 4, 4, 1\)",
    ),
    "noise of more images": (
        lambda m, x: m.log_prob(x[:1], noise=np.zeros((6, 4, 4, 1))),
        r"noise of the images' shape",
    ),
    "noise and seed": (lambda m, x: m.log_prob(x, noise=0.5, seed=1), "expected a seed or the noise itself, got both"),
    "images as lists": (lambda m, x: m.encode(x.tolist()), "expected uint8 images .* got int32"),
    "images of int64": (lambda m, x: m.encode(x.astype(int)), "expected uint8 images .* got int64"),
    "images of text": (lambda m, x: m.encode([["a"], []]), "expected uint8 images, got a list"),
    "one image": (lambda m, x: m.encode(x[0]), r"expected images \[n, 4, 4, 1\], got \(4, 4, 1\)"),
    "no latents": (decode(lambda eps: []), r"decode: expected a list of latents \[n, 2, 2, 2\], .*, got 0 of them"),
    "one latent": (decode(lambda eps: eps[:1]), "got 1 of them"),
    "flat latents": (decode(lambda eps: np.zeros((2, 16))), r"got one ndarray; for flat latents \[n, D\] see"),
    "latents of another order": (decode(lambda eps: eps[::-1]), r"of one n, got \[2, 1, 1, 8\], \[2, 2, 2, 2\]"),
    "latents of two numbers": (
        decode(lambda eps: [eps[0], eps[1][:1]]),
        r"of one n, got \[2, 2, 2, 2\], \[1, 1, 1, 8\]",
    ),
    "latents of int": (decode(lambda eps: [e.astype(int) for e in eps]), "of floats, got int64, int64"),
    "NaN latents": (decode(lambda eps: [eps[0], eps[1] * np.nan]), r"NaN or infinite values in eps\[1\]"),
    "infinite latents": (decode(lambda eps: [eps[0] + np.inf, eps[1]]), r"NaN or infinite values in eps\[0\]"),
    "density of temperature 0": (lambda m, x: m.distribution(0.0), "expected a finite temperature above 0, got 0.0"),
    "density of temperature -1": (lambda m, x: m.distribution(-1, flat=True), "expected a finite temperature above 0"),
    "density of temperatures": (lambda m, x: m.distribution([1.0] * 4), r"expected a scalar, got the shape \[4\]"),
    "no draws": (
        lambda m, x: m.distribution(discrete=True, draws=0),
        "draws: expected an integer of at least 1, got 0",
    ),
    "draws of a float": (lambda m, x: m.distribution(discrete=True, draws=1.5), "draws: expected an integer"),
    "discrete temperature": (lambda m, x: m.distribution(np.nan, discrete=True), "a finite temperature of 0 or more"),
    "discrete seed": (lambda m, x: m.distribution(discrete=True, seed=0.5), "expected as seed an int or two"),
    "draws of a density": (lambda m, x: m.distribution(draws=4), "draws and seed are of the noise of discrete=True"),
    "flat and discrete": (lambda m, x: m.distribution(flat=True, discrete=True), "expected flat or discrete, got both"),
    "floats scored as bytes": (lambda m, x: m.distribution(discrete=True).log_prob(x / 255), "uint8 .* got float64"),
    "int32 scored as bytes": (lambda m, x: m.distribution(discrete=True).prob(x.astype("int32") + 256), "got int32"),
    "row scored as an image": (lambda m, x: m.distribution(discrete=True).log_prob(x[:, :1]), r"\[..., 4, 4, 1\], got"),
    "one step": (lambda m, x: interpolate(m, x[:2], x[2:4], 1), "steps: expected an integer of at least 2, got 1"),
    "unequal pairs": (lambda m, x: interpolate(m, x[:2], x[2:3], 3), "as many first images as second ones, got 2, 1"),
    "bits": (lambda m, x: quantization.quantize(x, 9), "bits: expected 1 to 8, got 9"),
    "bits of a float": (
        lambda m, x: quantization.to_uint8(x / 255, 4.5),
        "bits: expected an integer of at least 1, got 4",
    ),
    "bytes of int": (
        lambda m, x: quantization.dequantize(x.astype(int), 8),
        "quantization: expected uint8 .* got int64",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_argument_is_refused_by_name(name, glow):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call(*glow)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("noise", [0.5, np.float32(0.5), np.full((6, 4, 4, 1), 0.5)])
def test_noise_of_python_and_numpy_is_checked_without_the_device(noise, glow, monkeypatch):
    expected = glow[0].encode(glow[1])[0]
    monkeypatch.setattr(tf, "reduce_all", None)
    np.testing.assert_array_equal(glow[0].encode(glow[1], noise=noise)[0], expected)


def test_values_are_checked_in_the_models_precision():
    images = tf.zeros([1, 2, 2, 1], tf.uint8)
    for noise in (1 - 1e-12, tf.constant(1 - 1e-12, tf.float64)):
        with pytest.raises(DataError, match=r"expected noise in \[0, 1\)"):
            arguments.check_noise(noise, images, None, "float32", "a")
        arguments.check_noise(noise, images, None, "float64", "a")
    with pytest.raises(DataError, match=r"NaN or infinite values in eps\[1\]"):
        arguments.check_latents([np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 1e300)], [(1, 1, 1)] * 2, "float32", "a")


def test_error_without_a_text_is_named_by_its_class(monkeypatch):
    def fail(value):
        raise ValueError

    monkeypatch.setattr(tf, "convert_to_tensor", fail)
    for check in (lambda: arguments.to_bytes([1], "a"), lambda: labels.to_tensor([1], 3, "a")):
        with pytest.raises(TypeError, match="got a list: ValueError"):
            check()


@pytest.mark.slow
def test_checks_add_no_operation_to_a_graph(glow, monkeypatch):
    model, images = glow

    def trace(function, *specs):
        operations = tf.function(function, autograph=False).get_concrete_function(*specs).graph.get_operations()
        return [operation.type for operation in operations]

    def trace_all():
        eps = [tf.TensorSpec([None, *shape], "float64") for shape in model.latent_shapes]
        x, noise = tf.TensorSpec(images.shape, tf.uint8), tf.TensorSpec(images.shape, tf.float32)
        n, temperature = tf.TensorSpec([], tf.int32), tf.TensorSpec([])
        return [
            trace(model.decode, eps),
            trace(lambda x, noise: model.encode(x, noise=noise), x, noise),
            trace(lambda x: model.encode(x), x),
            trace(lambda n, temperature: model.sample_latents(n, temperature, seed=1), n, temperature),
        ]

    def cast(noise, images, seed, dtype, name):
        return tf.cast(noise, dtype) if tf.is_tensor(noise) else np.asarray(noise, dtype)

    checked = trace_all()
    monkeypatch.setattr("glow_tf.image_flow.check_latents", lambda eps, _, dtype, *__: [tf.cast(e, dtype) for e in eps])
    monkeypatch.setattr("glow_tf.image_flow.check_noise", cast)
    monkeypatch.setattr("glow_tf.model.check_count", lambda n, *_: n)
    monkeypatch.setattr("glow_tf.model.check_temperature", lambda temperature, *_: temperature)
    assert checked == trace_all()
    unknown = tf.function(model.encode, input_signature=[tf.TensorSpec(None, tf.uint8)])  # the model sets the shape
    np.testing.assert_array_equal(unknown(images)[0], model.encode(images)[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not compatible with expected shape"):
        unknown(images[:, 1:])
    draw = tf.function(lambda n, temperature: model.sample_latents(n, temperature, seed=1)[0])
    np.testing.assert_array_equal(draw(tf.constant(2), tf.constant(0.5)), model.sample_latents(2, 0.5, seed=1)[0])


def test_no_images_give_empty_results_of_the_right_shape():
    model, images, _ = make_glow(classes=3, weight_y=0.1, **SMALL)
    none, labels = images[:0], np.zeros(0, int)
    assert model.sample(0, labels=labels).shape == (0, 4, 4, 1) and model.sample(0, labels=1).dtype == tf.uint8
    eps = model.encode(none, labels)
    assert [tuple(e.shape) for e in eps] == [(0, 2, 2, 2), (0, 1, 1, 8)] and eps[0].dtype == tf.float64
    assert model.decode(eps, labels).shape == (0, 4, 4, 1)
    assert model.log_prob(none, labels, seed=0).shape == 0 and model.bits_per_dim(none, labels, seed=0).shape == 0
    assert model.objective(none, labels, seed=0)["error"].shape == 0
    assert model.classify(none).shape == (0, 3)
    assert tf.function(lambda: model.log_prob(none, labels, seed=0), autograph=False)().shape == 0
    assert interpolate(model, none, none, 3, labels).shape == (0, 3, 4, 4, 1)
    with pytest.raises(DataError, match="expected at least one example"):
        model.initialize(none, labels)
    z = batched.encode(model, none, labels)
    assert z.shape == (0, 16) and batched.decode(model, z, labels).shape == (0, 4, 4, 1)
    assert batched.sample(model, 0, 0.7, labels).shape == (0, 4, 4, 1)
    assert batched.bits_per_dim(model, none, labels).shape == (0,)


@pytest.mark.parametrize("flat", [False, True])
def test_distributions_of_no_images_are_empty(flat, glow):
    model, images = glow
    density, discrete = model.distribution(flat=flat), model.distribution(discrete=True, seed=0)
    assert density.sample(0, seed=(0, 1)).shape == (0, 4, 4, 1) and density.sample([2, 0]).shape == (2, 0, 4, 4, 1)
    assert density.log_prob(np.zeros((0, 4, 4, 1))).shape == 0
    assert discrete.sample(0, seed=(0, 1)).shape == (0, 4, 4, 1) and discrete.log_prob(images[:0]).shape == 0


@pytest.mark.parametrize("name", layer_cases.CASES)
def test_every_layer_maps_no_examples_to_none(name):
    case, layer = layer_cases.CASES[name], layer_cases.CASES[name].make()
    layer.build((None, *case.shape))
    expected = layer.encoded_shape(case.shape)
    for lead in ((0,), (2, 0)):
        x = tf.zeros([*lead, *case.shape], "float64")
        z, log_det = layer.encode(x, 0 if case.labels else None)
        assert log_det.shape == lead
        shapes = [tuple(v.shape) for v in z] if isinstance(z, list) else tuple(z.shape)
        assert shapes == ([(*lead, *s) for s in expected] if isinstance(z, list) else (*lead, *expected))
        reconstruction, log_det = layer.decode(z, 0 if case.labels else None)
        assert reconstruction.shape == x.shape and log_det.shape == lead and reconstruction.dtype == x.dtype


def test_latents_to_interpolate_must_agree():
    a, b = [np.zeros((2, 4)), np.zeros((2, 3))], [np.ones((2, 4)), np.ones((2, 3))]
    for first, second in ((a, b[:1]), (a, b[::-1]), (a, [b[0][:1], b[1]])):
        with pytest.raises(DataError, match="expected two lists of equal shapes"):
            interpolate_latents(first, second, [0.0, 1.0])
    for weights in ([[0.0, 1.0]], [np.nan], 0.5):
        with pytest.raises(DataError, match=r"expected finite weights \[steps\]"):
            interpolate_latents(a, b, weights)


def test_flat_latents_are_checked(glow, tmp_path):
    model, _ = glow
    for wrong in ([], np.zeros((2, 16)), [np.zeros((2, 2, 2, 2)), np.zeros((1, 1, 1, 8))], [np.zeros(3)]):
        with pytest.raises(DataError, match=r"eps: expected a list of latents \[n, H, W, C\] with one n"):
            latents.flatten_latents(wrong)
    with pytest.raises(DataError, match="z: expected latents as floats, got uint8"):
        latents.unflatten_latents(np.zeros((2, 16), np.uint8), model)
    np.save(tmp_path / "z.npy", np.full((2, 16), np.nan))
    with pytest.raises(DataError, match="z.npy: expected finite latents"):
        latents.load_latents(tmp_path / "z.npy", model)


def test_attributes_that_cannot_be_applied_are_refused(tmp_path):
    good = attributes.Attributes(("a", "b"), [[1.0, 0.0], [0.0, 2.0]])
    for z in (np.zeros((3, 3)), np.zeros((3, 2), int), 1.0):
        for call in (good.positions, lambda z: good.apply(z, {"a": 1.0})):
            with pytest.raises(DataError, match=r"z: expected flat latents, floats \[n, 2\]"):
                call(z)
    for strength in (np.nan, np.inf, "much", [1.0]):
        with pytest.raises(DataError, match="attribute 'a': expected a finite number as strength"):
            good.apply(np.zeros((1, 2)), {"a": strength})
    for names, directions, message in (
        (("a", "a"), np.eye(2), "expected names that differ"),
        (("a", "b"), np.eye(3), r"expected directions as numbers \[2, D\], one row per name, got float64 \(3, 3\)"),
        (("a", "b"), [["1", "0"], ["0", "1"]], "expected directions as numbers .*, got <U1"),
        (("a", "b"), np.diag([1.0, np.nan]), "attribute 'b': expected a finite direction that is not zero"),
        (("a", "b"), np.diag([0.0, 1.0]), "attribute 'a': expected a finite direction"),
    ):
        with pytest.raises(DataError, match=message):
            attributes.Attributes(names, directions)
    np.save(tmp_path / "d.npy", np.diag([1.0, np.inf]))
    with pytest.raises(DataError, match="d.npy: attribute 'attribute_1': expected a finite direction"):
        attributes.load_attributes(tmp_path / "d.npy", 2)


def test_attributes_are_not_computed_from_unusable_data():
    z, tags = np.random.default_rng(0).normal(size=(4, 3)), np.array([[1], [0], [1], [0]])
    attributes.difference_of_means(z, tags, ["a"])
    for method in attributes.METHODS.values():
        with pytest.raises(DataError, match=r"tags: expected bool or 0 and 1, \[4, 1\], got int64 \[4, 1\]"):
            method(z, 2 * tags - 1, ["a"])  # CelebA's -1 and 1
        with pytest.raises(DataError, match=r"tags: .* \[4, 1\], got int64 \[3, 1\]"):
            method(z, tags[:3], ["a"])
        with pytest.raises(DataError, match="z: expected finite flat latents"):
            method(z * np.nan, tags, ["a"])


def test_levels_of_latents_need_the_same_leading_dimensions():
    split = Split(name="split")
    with pytest.raises(ValueError, match=r"split.decode: expected latents of the same leading dimensions, got"):
        split.decode([tf.zeros([2, 2, 2, 2]), tf.zeros([1, 2, 2, 2])])
