"""Test models that Keras saves, loads and exports: weights, optimizers, and what is frozen."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow
from glow_tf.config import ModelConfig
from helpers.keras_fit import CONFIG, ONE_LEVEL, images_and_labels
from helpers.layer_cases import perturb


@pytest.mark.slow
def test_weights_files_do_not_depend_on_compile(tmp_path):
    images, _ = images_and_labels()
    compiled, plain = Glow(ModelConfig(**ONE_LEVEL)), Glow(ModelConfig(**ONE_LEVEL, init_seed=5))
    compiled.compile("adam")
    compiled.fit(images, verbose=0)
    compiled.save_weights(tmp_path / "m.weights.h5")
    plain.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(plain.encode(images)[0], compiled.encode(images)[0])
    other = Glow(ModelConfig(**ONE_LEVEL, init_seed=6))
    other.save_weights(tmp_path / "n.weights.h5")
    compiled.load_weights(tmp_path / "n.weights.h5")
    np.testing.assert_array_equal(compiled.encode(images)[0], other.encode(images)[0])


@pytest.mark.slow
def test_fit_resumes_from_a_saved_compiled_model(tmp_path):
    images, _ = images_and_labels()
    model = Glow(ModelConfig(**ONE_LEVEL))
    model.compile(keras.optimizers.Adam(1e-2))
    fit = dict(batch_size=16, shuffle=False, verbose=0)
    model.fit(images, **fit)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    expected, resumed = model.fit(images, **fit).history, loaded.fit(images, **fit).history
    assert resumed["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        # A GPU adds in another order each time; without the optimizer's moments the difference is 0.05.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)


def conditional_model():
    """Make a conditional model with general weights."""
    model = Glow(ModelConfig(**CONFIG, classes=10, weight_y=0.1), name="digits")
    perturb(model.trainable_variables, np.random.default_rng(0), 0.05)
    return model


@pytest.mark.slow
def test_conditional_model_predicts_and_keeps_what_is_frozen(tmp_path):
    images, labels = images_and_labels(8)
    model = conditional_model()
    expected = model.encode(images, labels)
    assert model.compute_output_shape((None, 8, 8, 1)) == [(None, *e.shape[1:]) for e in expected]
    for data in ([images, labels], tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)):
        for latents, value in zip(model.predict(data, verbose=0), expected, strict=True):
            np.testing.assert_allclose(latents, value, atol=1e-5)
    model.flow.step_0_0.actnorm.trainable = False
    model.flow.step_1_0.coupling.network.trainable = False
    model.flow.step_1_0.coupling.network.W_1.trainable = True
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert [v.path for v in loaded.trainable_variables] == [v.path for v in model.trainable_variables]
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    assert not loaded.flow.step_0_0.actnorm.trainable
    model.trainable = False
    assert Glow.from_config(model.get_config()).trainable_variables == []


@pytest.mark.slow
def test_conditional_model_from_a_file_is_exported(tmp_path):
    images, labels = images_and_labels(8)
    model = conditional_model()
    expected = model.encode(images, labels)
    model.flow.step_0_0.actnorm.trainable = False
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    loaded.export(tmp_path / "served", verbose=False)  # not called before
    served = tf.saved_model.load(tmp_path / "served")
    for latents, value in zip(served.serve(images, labels.astype("int32")), expected, strict=True):
        np.testing.assert_allclose(latents, value, atol=1e-5)
