"""In-painting as Bayesian inference: `python examples/joint_inpainting.py [RUN]`, about a minute.

A Glow is the prior of a joint distribution, `image ~ Glow`, `seen ~ Normal(upper half of the image, 0.1)`; the
latents of what was seen are sampled by Hamiltonian Monte Carlo, and decoded. Without a run folder a small model is
trained first.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from sklearn.datasets import load_digits

from glow_tf import Adamax, Glow, ModelConfig, load_model
from glow_tf.pictures import save_png, sheet
from glow_tf.quantization import to_uint8

tfd = tfp.distributions
images = np.minimum(load_digits().images, 15).astype(np.uint8)[..., None] * 16


def small_model():
    glow = Glow(ModelConfig(image_shape=(8, 8, 1), bits=4, levels=2, depth=4, width=48))
    glow.initialize(images[:256], seed=0)
    glow.compile(Adamax(2e-3))
    glow.fit(images[100:], batch_size=64, epochs=12, verbose=0)
    return glow


glow = load_model(sys.argv[1]) if len(sys.argv) > 1 else small_model()
prior = glow.distribution(flat=True)
rows = glow.image_shape[0] // 2


def upper_half(image):
    return tfd.Independent(tfd.Normal(image[..., :rows, :, :], 0.1), 3)


joint = tfd.JointDistributionNamed({"image": prior, "seen": upper_half})
original = glow.dequantize(images[:8], noise=0.5)
seen = original[:, :rows]


def log_prob(z):
    """Of the latents `[8, D]` given what was seen; the flow's Jacobian has no part in it."""
    image = prior.bijector.forward(z)
    return prior.distribution.log_prob(z) + upper_half(image).log_prob(seen)


@tf.function
def infer(seed):
    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.HamiltonianMonteCarlo(log_prob, step_size=0.05, num_leapfrog_steps=8), num_adaptation_steps=80
    )
    start = prior.distribution.sample(8, seed=seed)
    return tfp.mcmc.sample_chain(
        num_results=20,
        num_steps_between_results=3,
        num_burnin_steps=100,
        current_state=start,
        kernel=kernel,
        seed=seed,
        trace_fn=lambda _, results: results.inner_results.is_accepted,
    )


z, accepted = infer(tf.constant([0, 1]))
draws = prior.bijector.forward(z[-1])
known = to_uint8(tf.concat([seen, tf.fill(original[:, rows:].shape, -0.5)], 1), glow.config.bits)
error = float(tf.reduce_mean(tf.abs(draws[:, :rows] - seen)))
print(f"joint log density of the originals: {np.mean(joint.log_prob(image=original, seen=seen)):.1f} nats")
print(f"accepted {np.mean(accepted):.0%}; upper halves are off by {error:.3f} on average")
rows_shown = {"seen": known.numpy(), "original": images[:8]}
rows_shown.update({f"draw {i + 1}": to_uint8(prior.bijector.forward(z[-1 - 6 * i]), 4).numpy() for i in range(3)})
save_png("inpainting.png", sheet(rows_shown))
print("picture: inpainting.png")
