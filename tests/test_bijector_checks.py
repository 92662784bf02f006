"""Run the checks of bijector authors over every bijector.

`bijector_test_util` is TensorFlow's copy of TFP's module, which TFP's packages leave out. Its functions are for
sessions, and for bijectors of one tensor with as many event axes on both sides, so each of ours is put between TFP's
own `Split` and `Reshape`, as a map of vectors. `assert_scalar_congruency` is for bijectors of scalars: none of ours is.
"""

import math
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow.python.ops.distributions import bijector_test_util

from helpers import layer_cases
from helpers.layer_cases import CASES, ONE_OF_EACH_CLASS
from helpers.marks import slow_but

tfb = tfp.bijectors
EAGER = types.SimpleNamespace(run=lambda values: [v.numpy() for v in values])
"""What stands for a session."""


def as_map_of_vectors(case, layer):
    """Return the bijector between a vector of all latents and one of all pixels."""
    latents = layer.encoded_shape(case.shape)
    parts = [tuple(s) for s in latents] if isinstance(latents, list) else [tuple(latents)]
    reshaped = [tfb.Reshape(s, [math.prod(s)]) for s in parts]
    to_latents = [tfb.JointMap(reshaped), tfb.Split([math.prod(s) for s in parts])]
    bijector = layer.as_bijector(case.shape, condition=1 if case.labels else None)
    to_pixels = tfb.Reshape([math.prod(case.shape)], case.shape)
    return tfb.Chain([to_pixels, bijector, *(to_latents if isinstance(latents, list) else reshaped)])


DEEP = {"multiscale recomputed", "glow conditional", "glow flat"}


@pytest.mark.parametrize("name", slow_but({*ONE_OF_EACH_CLASS} - DEEP, ONE_OF_EACH_CLASS))
def test_bijector_passes_the_checks_of_bijector_authors(name):
    """Check both directions and log-determinants, and these by the Jacobian, as TFP's `get_fldj_theoretical` does."""
    case, bijector = CASES[name], as_map_of_vectors(CASES[name], layer_cases.shared_layer(name))
    size = math.prod(case.shape)
    x, y = np.random.default_rng(0).normal(size=(2, 2, size))
    bijector_test_util.assert_bijective_and_finite(bijector, x, y, event_ndims=1, atol=1e-9, rtol=1e-7, sess=EAGER)
    matrix = layer_cases.jacobian(lambda rows, _: bijector.forward(rows), tf.constant(x[:1]))
    expected = tf.linalg.slogdet(matrix).log_abs_determinant
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x[:1], event_ndims=1), expected, atol=1e-9)
    assert bijector.forward_event_shape([3, size]) == bijector.inverse_event_shape([3, size]) == (3, size)
