"""A `Glow` compiled for interactive use."""

import math
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from glow_tf import quantization
from glow_tf.edits import decode_with_overshoot
from glow_tf.layers.tensors import standard_normal_log_prob
from glow_tf.model import Glow
from glow_tf.types import Images, Latents, Tensor, TensorLike


class CompiledModel:
    """A `Glow` whose `encode` and `decode` are one graph each, for any number of images.

    Any thread may call; one computation runs at a time.

    Args:
        model: the model to compile.
    """

    def __init__(self, model: Glow) -> None:
        self.model = model
        config = model.config

        def encode(images: Tensor, labels: Tensor | None = None) -> tuple[Latents, Tensor]:
            eps, log_det = model.flow.encode(model.dequantize(images, noise=0.5), labels)
            log_prob = standard_normal_log_prob(eps) + log_det - config.dims * config.bits * math.log(2.0)
            return eps, quantization.bits_per_dim(log_prob, config.image_shape)

        def decode(eps: Latents, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
            return decode_with_overshoot(model, eps, labels)

        images = tf.TensorSpec([None, *model.image_shape], tf.uint8)
        eps = [tf.TensorSpec([None, *shape], model.compute_dtype) for shape in model.latent_shapes]
        labels = [tf.TensorSpec([None], tf.int32)] if config.classes else []
        options = dict(autograph=False, reduce_retracing=False)
        self.encode_graph = tf.function(encode, input_signature=[images, *labels], **options)
        self.decode_graph = tf.function(decode, input_signature=[eps, *labels], **options)
        self._lock = threading.Lock()

    def encode(self, images: TensorLike, labels: np.ndarray | None = None) -> list[np.ndarray]:
        """Return `Glow.encode(images, labels)` as a list of NumPy arrays.

        Args:
            images: uint8 `[n, H, W, C]`.
            labels: int `[n]` for a conditional model, else None.
        """
        return self.encode_with_bits(images, labels)[0]

    def encode_with_bits(
        self, images: TensorLike, labels: np.ndarray | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the latents of images, and their bits/dim `[n]` at the middle of each bin; see `encode`."""
        with self._lock:
            eps, bits = self.encode_graph(images, *_label_arguments(labels))
            return [e.numpy() for e in eps], bits.numpy()

    def decode(self, eps: Sequence[TensorLike], labels: np.ndarray | None = None) -> tuple[Images, np.ndarray]:
        """Return the images of latents, uint8 `[n, H, W, C]`, and their `overshoot` `[n]` (see `glow_tf.edits`).

        Args:
            eps: latents `[n, H, W, C]` of each level, finest first.
            labels: int `[n]` for a conditional model, else None.
        """
        with self._lock:
            images, overshoot = self.decode_graph(list(eps), *_label_arguments(labels))
            return images.numpy(), overshoot.numpy()

    def warm_up(self) -> None:
        """Trace and run both graphs once, so that the first request is as fast as the others."""
        labels = np.zeros(1, int) if self.model.config.classes else None
        self.decode(self.encode(np.zeros([1, *self.model.image_shape], np.uint8), labels), labels)


def _label_arguments(labels: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Return the arguments that labels are to a graph: none for an unconditional model."""
    return () if labels is None else (np.asarray(labels, np.int32),)
