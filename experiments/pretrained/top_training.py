"""Training of the top levels of a Glow on stored latents of drawn faces."""

import keras
import numpy as np
import tensorflow as tf
import tqdm

from glow_tf.optimizers import Adamax

BATCH_SIZE, WARMUP_STEPS = 128, 200


def fit(top, latents, labels, steps, learning_rate):
    """Train top levels with random batches of latents and a cosine decay of the learning rate.

    The loss is the negative log-likelihood of the latents, and that of the features by logistic regression on the last
    latents, as the original code adds the loss of a classifier. Without the second, the faces with an attribute formed
    several clusters, and no single direction led to them.

    Args:
        top: the `TopLevels`.
        latents: the latents `[n, H, W, C]` that enter their first split.
        labels: the features of their faces, int `[n, F]`.
        steps: number of steps.
        learning_rate: the learning rate at the end of the warm-up.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - WARMUP_STEPS, warmup_target=learning_rate, warmup_steps=WARMUP_STEPS
    )
    optimizer, counts = Adamax(schedule), (labels.max(0) + 1).tolist()
    classifier = keras.layers.Dense(sum(counts))
    classifier.build((None, top.flow.prior.channels))
    variables = top.trainable_variables + classifier.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False)
    def train_step(h, labels):
        with tf.GradientTape() as tape:
            eps, nll = top.encode(h)
            logits = tf.split(classifier(eps[:, 0, 0]), counts, -1)
            for part, label in zip(logits, tf.unstack(labels, axis=1), strict=True):
                nll += tf.nn.sparse_softmax_cross_entropy_with_logits(label, part)
            loss = tf.reduce_mean(nll)
        optimizer.apply_gradients(zip(tape.gradient(loss, [v.value for v in variables]), variables, strict=True))
        return loss

    rng, mean = np.random.default_rng(seed=steps), None  # another seed for each training
    with tqdm.trange(steps, desc="training") as bar:
        for _ in bar:
            rows = rng.integers(0, len(latents), BATCH_SIZE)
            loss = float(train_step(tf.constant(latents[rows]), tf.constant(labels[rows])))
            mean = loss if mean is None else 0.99 * mean + 0.01 * loss
            bar.set_postfix(nats=f"{mean:.1f}", refresh=False)
