"""Test `LikelihoodModel`: `fit`, `evaluate`, `predict`, sampling and saving for any flow layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from glow_tf import ActNorm, Coupling, FlowSequential, Glow, GlowFlow, LikelihoodModel, ModelConfig
from helpers.layer_cases import perturb


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(64, 2)) @ [[1.0, 0.8], [0.0, 0.6]] + 3.0


def make_model(**options):
    network = keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(2, kernel_initializer="zeros")])
    return LikelihoodModel(FlowSequential([ActNorm(), Coupling(network=network)], name="flow"), **options)


@pytest.mark.slow
def test_model_of_vectors_fits_saves_and_continues(points, tmp_path):
    model = make_model(name="density")
    model.compile(keras.optimizers.Adam(1e-2))
    with pytest.warns(UserWarning, match=r"density\.fit: the actnorms"):
        model.fit(points, batch_size=32, verbose=0)  # builds the flow
    model.initialize(points)
    history = model.fit(tf.data.Dataset.from_tensor_slices(points).batch(32), epochs=3, verbose=0).history
    assert set(history) == {"loss"} and history["loss"][-1] < history["loss"][0]
    expected = tfp.distributions.TransformedDistribution(
        tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), 2), model.flow.as_bijector((2,))
    ).log_prob(points.astype("float32"))
    np.testing.assert_allclose(model.log_prob(points), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(points, verbose=0), expected, atol=1e-5)
    evaluation = model.evaluate(points, verbose=0, return_dict=True)
    assert evaluation["loss"] == pytest.approx(-np.mean(expected), abs=1e-5)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.log_prob(points), model.log_prob(points))
    assert int(loaded.optimizer.iterations) == 8


@pytest.mark.slow
def test_model_of_vectors_from_a_file_is_exported(points, tmp_path):
    model = make_model(name="density")
    model.compile(keras.optimizers.Adam(1e-2))
    model.initialize(points)
    model.fit(points, batch_size=32, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    loaded.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(tf.constant(points, tf.float32)), model.log_prob(points), atol=1e-5)


def test_second_initialization_warns(points, recwarn):
    images = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 1), np.uint8)
    glow = Glow(ModelConfig(image_shape=(4, 4, 1), levels=1, depth=1, width=4))
    without_actnorm = LikelihoodModel(Coupling(width=4))
    for model, data in ((make_model(), points), (glow, images), (without_actnorm, points), (without_actnorm, points)):
        model.initialize(data)
    assert not [w for w in recwarn if "set anew" in str(w.message)]
    initialized = make_model()
    initialized.initialize(points)
    for model, data in ((initialized, points), (glow, images)):
        with pytest.warns(UserWarning, match=rf"{model.name}\.initialize: the actnorms .* were set before"):
            model.initialize(data)


def test_samples_are_decoded_latents(points):
    model = make_model()
    with pytest.raises(ValueError, match="does not know the shape of an example yet; call initialize or fit"):
        model.sample(2)
    model.initialize(points)
    samples = model.sample(500, seed=3)
    np.testing.assert_array_equal(samples, model.sample(500, seed=3))
    np.testing.assert_allclose(np.mean(samples, 0), points.mean(0), atol=0.2)
    each = model.sample(2, [0.5, 1.0], seed=3)
    for i, temperature in enumerate([0.5, 1.0]):
        np.testing.assert_array_equal(each[i], model.sample(2, temperature, seed=3)[i])
    with pytest.raises(ValueError, match="expected a scalar or one temperature per image, got the shape"):
        model.sample(2, [0.5, 1.0, 1.0])
    np.testing.assert_allclose(model.sample(2, 0.0, seed=0)[0], model.flow.decode(tf.zeros([1, 2]))[0][0], atol=1e-6)


@pytest.mark.slow
def test_conditional_flow_to_a_list_of_latents(tmp_path):
    rng, labels = np.random.default_rng(0), np.arange(8) % 3
    x = rng.normal(size=(8, 4, 4, 2)).astype("float32")
    model = LikelihoodModel(GlowFlow(levels=2, depth=1, width=4, classes=3, seed=0))
    model.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match="actnorms"):
        model.fit(x, labels, batch_size=4, verbose=0)
    perturb(model.trainable_variables, rng)
    log_prob = model.log_prob(x, labels)
    assert not np.allclose(log_prob, model.log_prob(x, (labels + 1) % 3))
    for data in ([x, labels], tf.data.Dataset.from_tensor_slices((x, labels)).batch(8)):
        np.testing.assert_allclose(model.predict(data, verbose=0), log_prob, rtol=1e-5)
    assert model.sample(3, condition=1, seed=0).shape == (3, 4, 4, 2)
    again = LikelihoodModel.from_config(model.get_config())
    assert again.conditional and again.built
    # The density integrates over all of its latents.
    glow = Glow(ModelConfig(image_shape=(4, 4, 2), bits=8, levels=2, depth=1, width=4, classes=3))
    glow.flow.set_weights(model.flow.get_weights())
    images = rng.integers(0, 256, (8, 4, 4, 2), np.uint8)
    expected = glow.log_prob(images, labels, noise=0.5) + glow.config.dims * np.log(256.0)
    np.testing.assert_allclose(model.log_prob(glow.dequantize(images, noise=0.5), labels), expected, rtol=1e-5)


@keras.saving.register_keras_serializable("test")
class TwoDense(keras.layers.Layer):
    """A network whose layers have no names of their own: Keras counts them up in every model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.last = keras.layers.Dense(2), keras.layers.Dense(2)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.last.build((*input_shape[:-1], 2))

    def call(self, x):
        return self.last(self.first(x))


def test_frozen_layer_without_a_name_stays_frozen_in_a_file(tmp_path):
    model = LikelihoodModel(Coupling(network=TwoDense()))
    model.build((None, 2))
    model.flow.network.first.trainable = False
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert not loaded.flow.network.first.trainable and loaded.flow.network.last.trainable
    glow = Glow(ModelConfig(image_shape=(4, 4, 1), levels=1, depth=1, width=4))
    by_name = {**glow.get_config(), "trainable_parts": {"flow.step_0_0.actnorm": False}}  # as of older commits
    assert not Glow.from_config(by_name).flow.step_0_0.actnorm.trainable


def test_errors_say_what_to_give(points):
    with pytest.raises(TypeError, match="expected a flow layer, got a Dense"):
        LikelihoodModel(keras.layers.Dense(2))
    model = make_model(name="density")
    with pytest.raises(TypeError, match="expected float32, got int64"):
        model.log_prob(np.zeros((4, 2), np.int64))
    with pytest.raises(ValueError, match=r"density: expected a batch \[n, 2\], got the shape \(2, 4, 2\)"):
        model.log_prob(np.zeros((2, 4, 2)))
    with pytest.raises(TypeError, match="masked"):
        model.log_prob(np.ma.masked_array(points, mask=points > 0))
    model.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match="density is unconditional: the labels beside the data are not used"):
        model.train_on_batch(points, np.zeros(64))


def test_what_the_model_would_ignore_is_refused(points):
    model = make_model()
    model.build((None, 2))
    with pytest.raises(ValueError, match=r"log_prob: this layer is unconditional and takes no labels"):
        model.log_prob(points, np.zeros(64, int))
    with pytest.raises(ValueError, match=r"sample: this layer is unconditional"):
        model.sample(2, condition=1)
    with pytest.raises(ValueError, match="the dtype is that of the flow, float32, got float64"):
        LikelihoodModel(model.flow, dtype="float64")
    assert LikelihoodModel(model.flow, dtype="float32").compute_dtype == "float32"
    images = LikelihoodModel(GlowFlow(levels=1, depth=1, width=4))
    images.build((None, 8, 8, 1))
    with pytest.raises(ValueError, match=r"expected a batch \[n, 8, 8, 1\]"):
        images.log_prob(np.zeros([2, 16, 16, 1], np.float32))


def test_samples_of_unknown_size_are_refused():
    flow = GlowFlow(levels=1, depth=1, width=4)
    flow.build((None, None, None, 1))
    with pytest.raises(ValueError, match=r"density\.sample: the flow was built for examples of unknown size"):
        LikelihoodModel(flow, name="density").sample(2)


def test_list_of_numbers_is_one_batch_and_a_list_of_arrays_is_refused(points):
    model = make_model()
    np.testing.assert_array_equal(model.log_prob(points[:3].tolist()), model.log_prob(points[:3]))
    with pytest.raises(ValueError, match="expected one tensor, got a list of 3; stack them"):
        model.log_prob(list(points[:3]))


def test_networks_act_as_in_training_in_fit_alone(points):
    modes = []

    class Mode(keras.layers.Layer):
        def call(self, x, training=False):
            modes.append(training)
            return x

    network = keras.Sequential([keras.layers.BatchNormalization(), Mode(), keras.layers.Dense(2)])
    model = LikelihoodModel(Coupling(network=network))
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    log_prob, means = model.log_prob(points), network.layers[0].moving_mean
    assert not any(modes) and not np.any(means)
    modes.clear()
    model.fit(points, batch_size=64, verbose=0)
    assert modes == [True] and np.any(means)
    assert model.evaluate(points, batch_size=64, verbose=0) == pytest.approx(-np.mean(model.log_prob(points)), rel=1e-5)
    model.sample(2, seed=0)
    assert modes == [True, False, False, False] and np.any(model.log_prob(points) != log_prob)


@pytest.mark.slow
def test_data_of_unknown_shape_and_data_that_builds_the_model(points):
    """The first has shapes that only the graph knows; a generator has none before its first batch."""
    model = make_model()
    model.initialize(points)
    unknown = tf.data.Dataset.from_generator(lambda: iter([points[:32], points[32:]]), output_types=tf.float32)
    model.compile(keras.optimizers.Adam(1e-3))
    expected = -np.mean(model.log_prob(points))
    assert model.evaluate(unknown, verbose=0) == pytest.approx(expected, rel=1e-5)
    refused, new = make_model(), make_model()
    for unbuilt in (refused, new):
        unbuilt.compile(keras.optimizers.Adam(1e-3))
    with pytest.raises(ValueError, match="expected a batch of known rank, which builds the model, got <unknown>"):
        refused.fit(unknown, verbose=0)
    new.fit(((points[:32],) for _ in range(2)), verbose=0)
    assert len(new.optimizer.variables) == 2 + 2 * len(new.trainable_variables)


@pytest.mark.slow
def test_fit_of_a_frozen_model_measures_it_with_a_warning(points):
    """Then train it, with the optimizer that has seen no weight yet."""
    model, optimizer = LikelihoodModel(ActNorm()), keras.optimizers.Adam(1e-3)
    model.initialize(points)
    model.flow.trainable = False
    model.compile(optimizer)
    before, expected = model.get_weights(), -np.mean(model.log_prob(points))
    with pytest.warns(UserWarning, match="no weight of the model is trainable, so it is measured and not trained"):
        assert model.fit(points, verbose=0).history["loss"] == pytest.approx([expected], rel=1e-5)
    with pytest.warns(UserWarning, match="no weight of the model is trainable"):
        assert model.train_on_batch(points) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(model.get_weights(), before)
    model.flow.trainable = True
    model.compile(optimizer)
    model.fit(points, verbose=0)
    assert np.all(np.not_equal(model.get_weights(), before))


def test_regularizers_are_refused_as_they_would_not_be_in_the_loss(points):
    network = keras.Sequential([keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1.0))])
    model = LikelihoodModel(Coupling(network=network))
    model.compile()
    with pytest.raises(ValueError, match="leave out the regularizers and the `add_loss`"):
        model.fit(points, verbose=0)
