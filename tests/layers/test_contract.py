"""Test the contract of flow layers: explicit options, each an attribute; what an author writes; old names."""

import inspect
import warnings

import keras
import pytest
import tensorflow as tf

import glow_tf
from glow_tf import bijectors, deprecation, layers
from glow_tf.layers.flow import FlowLayer
from glow_tf.layers.options import option_names
from helpers import layer_cases
from helpers.layer_cases import CASES

LAYER_CLASSES = [getattr(layers, name) for name in layers.__all__]


@pytest.fixture(autouse=True)
def warn_again(monkeypatch):
    monkeypatch.setattr(deprecation, "_warned", set())


@pytest.mark.parametrize("layer_class", LAYER_CLASSES, ids=lambda c: c.__name__)
def test_constructor_of_every_layer_names_its_options(layer_class):
    signature = inspect.signature(layer_class.__init__)
    required = {"filters", "units", "layers", "flow", "levels", "depth"}
    for parameter in signature.parameters.values():
        assert parameter.kind is not parameter.VAR_POSITIONAL
        assert parameter.kind is not parameter.VAR_KEYWORD or parameter.name == "kwargs"
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            assert parameter.name in {"self", *required}
    values = dict(filters=2, units=2, layers=[], levels=1, depth=1, flow=layers.GlowFlow(levels=1, depth=1))
    values = {k: v for k, v in values.items() if k in option_names(layer_class)}
    with pytest.raises((TypeError, ValueError), match="nonsense"):
        layer_class(**values, nonsense=1)


@pytest.mark.parametrize("name", CASES)
def test_every_option_is_an_attribute_and_is_saved(name):
    layer = CASES[name].make()
    config = layer.get_config()
    for option in option_names(type(layer)):
        value = getattr(layer, f"{option}_kind", getattr(layer, option, "missing"))
        assert value != "missing", option
        assert option in config
        if not isinstance(value, (list, keras.layers.Layer)):
            assert config[option] == (keras.saving.get_registered_name(value) if callable(value) else value)


@pytest.mark.parametrize("name", CASES)
def test_printed_layer_shows_its_class_and_options(name):
    layer = CASES[name].make()
    text = repr(layer)
    assert text.startswith(f"{type(layer).__name__}(") and f"name={layer.name!r}" in text and "dtype='float64'" in text
    assert all(f"{option}=" in text for option in option_names(type(layer)) if option not in ("dtype", "event_ndims"))
    assert " at 0x" not in text


def test_printed_step_and_chain():
    step = layers.FlowStep(permutation="lu", width=8, name="step")
    expected = (
        "FlowStep(permutation='lu', coupling='affine', scale='sigmoid', network=None, width=8, network_dtype=None, "
        "seed=None, dtype='float32', name='step')"
    )
    assert repr(step) == expected
    chain = layers.FlowSequential([layers.Squeeze(name="squeeze"), step], name="chain")
    squeeze = "Squeeze(dtype='float32', name='squeeze')"
    assert repr(chain) == f"FlowSequential(layers=[{squeeze}, {expected}], dtype='float32', name='chain')"


@pytest.mark.parametrize("name", CASES)
def test_build_settles_event_axes_and_channels(name):
    case, layer = CASES[name], CASES[name].make()
    layer.build((None, *case.shape))
    assert layer.channels == case.shape[-1] and tuple(layer.event_shape) == case.shape
    assert layer.event_ndims == len(case.shape)


def test_old_layer_names_work_and_warn_once():
    for module in (glow_tf, layers):
        with pytest.warns(DeprecationWarning, match="Actnorm is now .*ActNorm"):
            old = module.Actnorm
        assert issubclass(old, layers.ActNorm)
        with pytest.warns(DeprecationWarning, match="Serial is now .*FlowSequential"):
            chain = module.Serial([old()])
        assert isinstance(chain, layers.FlowSequential)
    assert module.Actnorm is old
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        glow_tf.Nonsense  # noqa: B018


def test_layer_written_for_the_old_contract_works_and_warns():
    with pytest.warns(DeprecationWarning, match="latent_shape is now .*encoded_shape"):

        class OldSqueeze(FlowLayer):
            def build(self, input_shape):
                self.count = self._settle(input_shape)

            def _encode(self, x, condition):
                return tf.reshape(x, [-1, 2 * self.count]), tf.zeros(tf.shape(x)[:1], x.dtype)

            def _decode(self, z, condition):
                return tf.reshape(z, [-1, 2, self.count]), tf.zeros(tf.shape(z)[:1], z.dtype)

            def latent_shape(self, event_shape):
                return (event_shape[0] * event_shape[1],)

            def image_shape(self, latent_shape):
                return (2, latent_shape[0] // 2)

    layer = OldSqueeze(event_ndims=2)
    x = tf.random.stateless_normal([5, 2, 3], [1, 2])
    with pytest.warns(DeprecationWarning, match=r"super\(\).build"):
        z, _ = layer.encode(x)
    assert layer_cases.max_abs_diff(layer.decode(z)[0], x) == 0
    deprecation._warned.clear()
    squeeze = layers.Squeeze()
    with pytest.warns(DeprecationWarning, match="image_shape is now .*decoded_shape"):
        assert squeeze.image_shape((2, 2, 4)) == (4, 4, 1)


def test_old_layer_that_extends_one_of_ours_calls_its_shapes():
    class Doubled(layers.Squeeze):
        def latent_shape(self, event_shape):
            return super().latent_shape(super().latent_shape(event_shape))

    assert Doubled().encoded_shape((4, 4, 1)) == (1, 1, 16)


def test_options_of_the_default_network_are_refused_beside_another():
    for make in (layers.Coupling, bijectors.Coupling):
        with pytest.raises(ValueError, match="coupling.*: width and network_dtype and seed would have no effect on a"):
            make(network=keras.layers.Dense(2), width=7, network_dtype="bfloat16", seed=0)
    coupling = layers.Coupling(network=keras.layers.Dense(2), name="mine")
    older = {**coupling.get_config(), "width": 7, "seed": 0}  # of files that earlier commits wrote
    assert layers.Coupling.from_config(older).get_config() == coupling.get_config()


def test_slice_of_a_chain_keeps_dtype_and_event_axes():
    chain = layers.FlowSequential([layers.ActNorm(dtype="float64"), layers.Reverse(dtype="float64")], event_ndims=1)
    for part in (chain[0:0], chain[:1], chain[1:], chain[::-1]):
        assert part.compute_dtype == "float64" and part.event_ndims == 1
        assert part.encode(tf.ones([2, 3, 4, 2], "float64"))[1].shape == [2, 3, 4]
    flat = layers.FlatFlow(layers.GlowFlow(levels=1, depth=1, width=4))
    images = layers.FlowSequential([layers.Reverse(), flat, layers.ActNorm()], event_ndims=3)
    assert images[1:].event_ndims == 3 and images[2:].event_ndims == 1
    assert layers.FlowSequential([layers.Reverse()])[:].event_ndims is None
    empty = bijectors.Chain([bijectors.ActNorm(dtype="float64", event_shape=[2])])[0:0]
    assert empty.dtype == tf.float64 and empty.forward_min_event_ndims == 1


@pytest.mark.slow
def test_distribution_warns_of_no_old_name():
    from helpers.glow_models import make_glow

    glow, _, labels = make_glow(classes=3)
    glow.distribution(labels=labels)  # imports TFP, which has warnings of its own
    deprecation._warned.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        glow.distribution(labels=labels)


def test_old_keyword_of_glow_as_bijector_works_and_warns():
    from helpers.glow_models import make_glow

    glow, images, labels = make_glow(classes=3)
    x = glow.dequantize(images, seed=1)
    with pytest.warns(DeprecationWarning, match="condition"):
        old = glow.as_bijector(condition=labels).inverse(x)
    assert layer_cases.max_abs_diff(old, glow.as_bijector(labels=labels).inverse(x)) == 0
