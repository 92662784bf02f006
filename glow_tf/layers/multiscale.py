"""The L levels of K steps, and the whole flow from images to standard normal latents (paper, figure 2b)."""

import keras
import tensorflow as tf

from glow_tf.layers.flow import FlowLayer, package
from glow_tf.layers.prior import TopPrior
from glow_tf.layers.sharing import run_steps
from glow_tf.layers.split import Split
from glow_tf.layers.squeeze import Squeeze
from glow_tf.layers.step import FlowStep


@keras.saving.register_keras_serializable(package)
class MultiScale(FlowLayer):
    """L times: squeeze, K flow steps, and at all but the last level a split.

    | | |
    |---|---|
    | function | `x -> [eps_0, ..., eps_{L-2}, h_top]`, finest level first |
    | reverse function | the same backwards |
    | log-determinant | the sum over all steps and splits |
    | shapes | level i: `eps_i` `[B, H/2^(i+1), W/2^(i+1), C 2^(i+1)]`; `h_top` has twice those channels |

    Args:
        levels: L. Height and width must be multiples of 2^L.
        depth: K, steps per level.
        seed: seed of all random weights.
        recompute: trade time for memory in training (see `run_steps`).
        **step: the options of `FlowStep`.
    """

    def __init__(
        self,
        *,
        levels,
        depth,
        seed=None,
        recompute=False,
        dtype=None,
        name=None,
        event_ndims=None,
        trainable=True,
        **step,
    ):
        super().__init__(dtype=dtype, name=name, event_ndims=event_ndims, trainable=trainable)
        self.levels, self.depth, self.seed, self.recompute = levels, depth, seed, recompute
        self.step_options = step
        common = dict(event_ndims=3, dtype=self.compute_dtype)
        # One attribute a layer: tf.train.Checkpoint does not look into lists.
        for level in range(levels):
            setattr(self, f"squeeze_{level}", Squeeze(name=f"squeeze_{level}", **common))
            for k in range(depth):
                # A step takes three seeds: the permutation's and two of the coupling network.
                step_seed = None if seed is None else seed + 3 * (level * depth + k)
                name = f"step_{level}_{k}"
                setattr(self, name, FlowStep(seed=step_seed, name=name, **common, **step))
            if level < levels - 1:
                setattr(self, f"split_{level}", Split(name=f"split_{level}", **common))

    def steps(self, level):
        """The flow steps of a level, in order."""
        return [getattr(self, f"step_{level}_{k}") for k in range(self.depth)]

    def squeeze(self, level):
        return getattr(self, f"squeeze_{level}")

    def split(self, level):
        """The split at the end of a level; the last has none."""
        return getattr(self, f"split_{level}") if level < self.levels - 1 else None

    def build(self, input_shape):
        self._settle(input_shape)
        shape = self.event_shape
        for level in range(self.levels):
            for layer in self._level(level):
                if not layer.built:
                    layer.build((None, *shape))
                shape = layer.latent_shape(shape)
            shape = shape[0] if self.split(level) else shape

    def _level(self, level):
        layers = [self.squeeze(level), *self.steps(level)]
        return [*layers, self.split(level)] if self.split(level) else layers

    def _encode(self, x, condition=None):
        latents, total = [], tf.zeros(tf.shape(x)[:1], x.dtype)
        for level in range(self.levels):
            x, _ = self.squeeze(level).encode(x)
            x, log_det = run_steps(self.steps(level), "encode", x, self.recompute)
            total += log_det
            if self.split(level):
                (x, eps), log_det = self.split(level).encode(x)
                total += log_det
                latents.append(eps)
        return [*latents, x], total

    def _decode(self, z, condition=None):
        *latents, x = z
        total = tf.zeros(tf.shape(x)[:1], x.dtype)
        for level in reversed(range(self.levels)):
            if self.split(level):
                x, log_det = self.split(level).decode([x, latents[level]])
                total += log_det
            x, log_det = run_steps(self.steps(level)[::-1], "decode", x)
            total += log_det
            x, _ = self.squeeze(level).decode(x)
        return x, total

    def _initialize(self, x, condition=None):
        latents = []
        for level in range(self.levels):
            for layer in self._level(level):
                x = layer.initialize(x)
            if self.split(level):
                x, eps = x
                latents.append(eps)
        return [*latents, x]

    def latent_shape(self, event_shape):
        shapes, (height, width, channels) = [], event_shape
        for level in range(self.levels):
            height, width, channels = height and height // 2, width and width // 2, 4 * channels
            if level < self.levels - 1:
                channels //= 2
            shapes.append((height, width, channels))
        return shapes

    def image_shape(self, latent_shape):
        height, width, channels = latent_shape[-1]
        scale = 2**self.levels
        return (height and height * scale, width and width * scale, channels // (2 * scale))

    def get_config(self):
        config = {key: getattr(self, key) for key in ("levels", "depth", "seed", "recompute")}
        return {**super().get_config(), **config, **self.step_options}


@keras.saving.register_keras_serializable(package)
class GlowFlow(MultiScale):
    """The whole of Glow as one flow: `x -> [eps_0, ..., eps_{L-1}]`, all standard normal under the model.

    The levels of `MultiScale`, then the top prior whitens `h_top`. Only the top prior reads the condition.

    Args:
        learn_top, classes: of the `TopPrior`.
        **multiscale: of `MultiScale`.
    """

    def __init__(self, *, learn_top=True, classes=0, **multiscale):
        super().__init__(**multiscale)
        self.learn_top, self.classes = learn_top, classes
        self.prior = TopPrior(learned=learn_top, classes=classes, event_ndims=3, dtype=self.compute_dtype, name="prior")

    def build(self, input_shape):
        super().build(input_shape)
        if not self.prior.built:
            self.prior.build((None, *self.latent_shape(self.event_shape)[-1]))

    def encode_to_top(self, x):
        """`([eps_0, ..., eps_{L-2}, h_top], log_det)` without the top prior, for the classifier."""
        return super()._encode(x)

    def whiten_top(self, latents, log_det, condition=None):
        """The second half of `encode`: replaces `h_top` by `eps_{L-1}`."""
        *latents, top = latents
        eps, term = self.prior.encode(top, condition)
        return [*latents, eps], log_det + term

    def _encode(self, x, condition=None):
        return self.whiten_top(*self.encode_to_top(x), condition)

    def _decode(self, z, condition=None):
        *latents, eps = z
        top, term = self.prior.decode(eps, condition)
        x, log_det = super()._decode([*latents, top])
        return x, log_det + term

    def _initialize(self, x, condition=None):
        *latents, top = super()._initialize(x)
        return [*latents, self.prior.initialize(top, condition)]

    def get_config(self):
        return {**super().get_config(), "learn_top": self.learn_top, "classes": self.classes}
