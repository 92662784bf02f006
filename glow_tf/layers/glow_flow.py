"""`GlowFlow`: the whole flow from images to standard normal latents (paper, figure 2b)."""

import keras

from glow_tf.labels import require_labels
from glow_tf.layers.multiscale import MultiScale
from glow_tf.layers.prior import TopPrior


@keras.saving.register_keras_serializable("glow_tf")
class GlowFlow(MultiScale):
    """The whole of Glow as one flow: `x -> [eps_0, ..., eps_{L-1}]`, all standard normal under the model.

    The levels of `MultiScale`, then the top prior whitens `h_top`. Only the top prior reads the condition.

    Args:
        levels, depth, permutation, coupling, scale, width, network_dtype, seed, recompute: see `MultiScale`.
        learn_top: learn the top prior's mean and standard deviation (see `TopPrior`).
        classes: number of labels of a conditional flow; 0 is unconditional.

    Source: figure 2b of https://arxiv.org/abs/1807.03039.

    Example:
        >>> flow = GlowFlow(levels=2, depth=1, width=8, seed=0)
        >>> eps, log_det = flow.encode(tf.zeros([4, 8, 8, 1]))
        >>> [tuple(e.shape) for e in eps]
        [(4, 4, 4, 2), (4, 2, 2, 8)]
    """

    def __init__(
        self,
        *,
        levels,
        depth,
        permutation="1x1",
        coupling="affine",
        scale="sigmoid",
        width=512,
        network_dtype=None,
        seed=None,
        recompute=False,
        learn_top=True,
        classes=0,
        **kwargs,
    ):
        super().__init__(
            levels=levels,
            depth=depth,
            permutation=permutation,
            coupling=coupling,
            scale=scale,
            width=width,
            network_dtype=network_dtype,
            seed=seed,
            recompute=recompute,
            **kwargs,
        )
        self.learn_top, self.classes = learn_top, classes
        self.prior = TopPrior(learned=learn_top, classes=classes, event_ndims=3, dtype=self.compute_dtype, name="prior")

    def build(self, input_shape):
        super().build(input_shape)
        if not self.prior.built:
            self.prior.build((None, *self.encoded_shape(self.event_shape)[-1]))

    def encode_to_top(self, x):
        """Return `([eps_0, ..., eps_{L-2}, h_top], log_det)`, without the top prior; the classifier reads `h_top`."""
        return super()._encode(x)

    def whiten_top(self, latents, log_det, condition=None):
        """Replace `h_top` by `eps_{L-1}`: the second half of `encode`."""
        *latents, top = latents
        eps, term = self.prior.encode(top, self._checked_condition(condition))
        return [*latents, eps], log_det + term

    def _encode(self, x, condition=None):
        return self.whiten_top(*self.encode_to_top(x), condition)

    def _decode(self, z, condition=None):
        *latents, eps = z
        top, term = self.prior.decode(eps, self._checked_condition(condition))
        x, log_det = super()._decode([*latents, top])
        return x, log_det + term

    def _initialize(self, x, condition=None):
        condition = self._checked_condition(condition)
        *latents, top = super()._initialize(x)
        return [*latents, self.prior.initialize(top, condition)]

    def _checked_condition(self, condition):
        """Return the condition, which an unconditional flow would ignore if it did not refuse it."""
        require_labels(condition, self.classes, self.name)
        return condition

    def get_config(self):
        return {**super().get_config(), "learn_top": self.learn_top, "classes": self.classes}
