"""The top levels of a Glow as a flow of their own, which begins at the latents of the level below."""

import numpy as np
import tensorflow as tf

from experiments.pretrained.top_rotations import best_first, discriminant_count, rotated, whitened
from glow_tf.layers.shared_steps import run_steps


class TopLevels:
    """The last levels of a `GlowFlow`, with the splits before them and the top prior.

    Args:
        flow: the flow. Its last level ends at 1x1.
        first: the first of the levels. Level 0 has no split before it: there, only `run_level` can be called.
    """

    def __init__(self, flow, first):
        self.flow, self.levels = flow, range(first, flow.levels)

    @property
    def trainable_variables(self):
        """Return the weights of the levels, of the splits before them, and of the top prior."""
        layers = [self.flow.prior]
        for level in self.levels:
            layers += [self.flow.split(level - 1), *self.flow.steps(level)]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def encode(self, h):
        """Return the last latents, and the negative log-likelihood `[B]` in nats, less the constants of the Gaussians.

        Args:
            h: the latents that enter the first split.
        """
        total = 0.0
        for level in self.levels:
            (h, eps), log_det = self.flow.split(level - 1).encode(h)
            total += tf.reduce_sum(tf.square(eps), [1, 2, 3]) / 2 - log_det
            h, log_det = self.run_level(level, h)
            total -= log_det
        eps, log_det = self.flow.prior.encode(h)
        return eps, total + tf.reduce_sum(tf.square(eps), [1, 2, 3]) / 2 - log_det

    def run_level(self, level, h):
        """Return the output of the squeeze and the steps of a level, and their log-determinant `[B]`."""
        h, _ = self.flow.squeeze(level).encode(h)
        return run_steps(self.flow.steps(level), "encode", h)

    def next_latents(self, h):
        """Return the latents that enter the second split for those that enter the first."""
        (h, _), _ = self.flow.split(self.levels[0] - 1).encode(h)
        return self.run_level(self.levels[0], h)[0]

    def initialize(self, h, labels):
        """Set rotations, actnorms and the top prior from latents; weights that a 1x1 image does not use become 0.

        Args:
            h: the latents that enter the first split.
            labels: the features of their faces, int `[n, F]`.
        """
        count = discriminant_count(labels)
        for level in self.levels:
            h, _ = self.flow.split(level - 1).initialize(h)
            h, _ = self.flow.squeeze(level).encode(h)
            for k, step in enumerate(self.flow.steps(level)):
                x, w = step.actnorm.initialize(h).numpy(), step.permutation.W
                if level == self.levels[-1]:
                    x = x[:, 0, 0]
                    w.assign(whitened(x, labels) if k == 0 else rotated(x.shape[1], count, seed=k))
                    keep_center(step.coupling.network.W_1)
                elif k == self.flow.depth - 1:  # its coupling and the split pass on the first half of the channels
                    w.assign(best_first(x, labels))
                h = step.initialize(h)
        self.flow.prior.initialize(h)


def keep_center(kernel):
    """Set a 3x3 kernel to 0 outside its center, where only edge markers reach a 1x1 image: zeros compress well."""
    mask = np.zeros([3, 3, 1, 1], np.float32)
    mask[1, 1] = 1
    kernel.assign(kernel.numpy() * mask)
