"""In-paint images by Bayesian inference: `python examples/joint_inpainting.py [RUN]`, about a minute.

A Glow is the prior of a joint distribution, `image ~ Glow`, `observed ~ Normal(upper half of the image, 0.1)`. Given
the observed halves, the latents are sampled by Hamiltonian Monte Carlo and decoded. Without a run folder a small model
is trained first.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from sklearn.datasets import load_digits

from glow_tf import Glow, ModelConfig, load_model
from glow_tf.errors import GlowError
from glow_tf.optimizers import Adamax
from glow_tf.pictures import save_png, sheet
from glow_tf.quantization import to_uint8

IMAGES = 8
DRAWS_SHOWN = 3
DRAW_STRIDE = 6
"""Draws of the chain between two that are shown."""

tfd = tfp.distributions
digits = np.minimum(load_digits().images, 15).astype(np.uint8)[..., None] * 16


def train_small_model():
    """Train a small Glow on the digits that are not in-painted."""
    glow = Glow(ModelConfig(image_shape=(8, 8, 1), bits=4, levels=2, depth=4, width=48))
    glow.initialize(digits[:256], seed=0)
    glow.compile(Adamax(2e-3))
    glow.fit(digits[100:], batch_size=64, epochs=12, verbose=0)
    return glow


def load(path):
    """Return the model of a run folder or file, or exit with a sentence if it draws no images like these digits."""
    try:
        glow = load_model(path)
    except GlowError as error:
        sys.exit(str(error))
    if glow.image_shape != digits.shape[1:] or glow.config.classes:
        sys.exit(f"expected an unconditional model of images {digits.shape[1:]}, which {path} is not.")
    return glow


glow = load(sys.argv[1]) if len(sys.argv) > 1 else train_small_model()
prior = glow.distribution(flat=True)
observed_rows = glow.image_shape[0] // 2


def upper_half(image):
    """Return the distribution of the observed half of an image."""
    return tfd.Independent(tfd.Normal(image[..., :observed_rows, :, :], 0.1), 3)


joint = tfd.JointDistributionNamed({"image": prior, "observed": upper_half})
original = glow.dequantize(digits[:IMAGES], noise=0.5)
observed = original[:, :observed_rows]


def log_posterior(z):
    """Compute the unnormalized log density of latents `[8, D]` given the observed halves, `[8]`.

    The density is over latents, so the flow's Jacobian has no part in it.
    """
    image = prior.bijector.forward(z)
    return prior.distribution.log_prob(z) + upper_half(image).log_prob(observed)


@tf.function
def sample_posterior(seed):
    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.HamiltonianMonteCarlo(log_posterior, step_size=0.05, num_leapfrog_steps=8), num_adaptation_steps=80
    )
    return tfp.mcmc.sample_chain(
        num_results=20,
        num_steps_between_results=3,
        num_burnin_steps=100,
        current_state=prior.distribution.sample(IMAGES, seed=seed),
        kernel=kernel,
        seed=seed,
        trace_fn=lambda _, results: results.inner_results.is_accepted,
    )


chain, accepted = sample_posterior(tf.constant([0, 1]))
last_draws = prior.bijector.forward(chain[-1])
error = float(tf.reduce_mean(tf.abs(last_draws[:, :observed_rows] - observed)))
print(f"joint log density of the originals: {np.mean(joint.log_prob(image=original, observed=observed)):.1f} nats")
print(f"accepted {np.mean(accepted):.0%}; upper halves are off by {error:.3f} on average")
black = tf.fill(original[:, observed_rows:].shape, -0.5)
rows = [
    ("observed", to_uint8(tf.concat([observed, black], 1), glow.config.bits).numpy()),
    ("original", digits[:IMAGES]),
]
for i in range(DRAWS_SHOWN):
    draws = prior.bijector.forward(chain[-1 - DRAW_STRIDE * i])
    rows.append((f"draw {i + 1}", to_uint8(draws, glow.config.bits).numpy()))
save_png("inpainting.png", sheet(rows))
print("picture: inpainting.png")
