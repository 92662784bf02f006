"""Test that a user's `tf.function` does not let AutoGraph rewrite the library, which takes seconds."""

import traceback

import pytest
import tensorflow as tf

from helpers.glow_models import shared_glow
from helpers.marks import slow_but

CALLS = {
    "log_prob": lambda model, images: model.log_prob(images, seed=0),
    "encode": lambda model, images: model.encode(images),
    "sample": lambda model, images: model.sample(2, seed=0),
    "decode": lambda model, images: model.decode(model.sample_latents(2, seed=0)),
    "layer": lambda model, images: model.flow.encode(model.dequantize(images, noise=0.5)),
    "bijector": lambda model, images: model.as_bijector().inverse(model.dequantize(images, noise=0.5)),
    "distribution": lambda model, images: model.distribution().sample(2, seed=(0, 1)),
}


@pytest.mark.parametrize("name", slow_but(["log_prob"], list(CALLS)))
def test_autograph_rewrites_the_users_function_alone(name, monkeypatch):
    model, images, _ = shared_glow(levels=1, depth=1)
    rewritten = []

    def run_steps(steps, method, x, recompute=False):
        rewritten.append([frame.name for frame in traceback.extract_stack() if frame.name.startswith("tf__")])
        return x, tf.zeros(tf.shape(x)[:1], x.dtype)

    def of_a_user(images):
        return CALLS[name](model, images)

    monkeypatch.setattr("glow_tf.layers.multiscale.run_steps", run_steps)
    tf.function(of_a_user).get_concrete_function(images)
    # `log_prob` itself is two calls.
    assert rewritten in ([["tf__of_a_user"]], [["tf__of_a_user", "tf__log_prob"]])
