"""Reconstructions: `decode(encode(x))`, and images whose fine latents are drawn anew."""

import numpy as np

from glow_tf import quantization
from glow_tf.evaluation import batched
from glow_tf.latents import flatten_latents


def reconstruct(model, images, labels=None, bar=None):
    """`(reconstructions uint8 [n, H, W, C], largest error)`, the error against the quantised images, in grey levels."""
    z = batched.encode(model, images, labels, bar)
    back = batched.decode(model, z, labels, bar)
    expected = quantization.quantize(images, model.config.bits).numpy()
    return back, int(np.max(np.abs(back.astype(int) - expected)))


def float_error(model, images, labels=None):
    """The largest difference of `x` and `flow.decode(flow.encode(x))`, floats in [-0.5, 0.5), of a few images."""
    x = model.dequantize(images, noise=0.5)
    back, _ = model.flow.decode(model.flow.encode(x, labels)[0], labels)
    return float(np.max(np.abs(back - x)))


def redraw_levels(model, images, labels=None, temperature=0.7, seed=0, bar=None):
    """Images with the latents of the finest levels drawn anew: uint8 `[levels + 1, n, H, W, C]`.

    Row i keeps the coarsest `levels - i` levels, so row 0 is the reconstruction and the last one a plain sample: what
    each level stands for (paper, figure 2b).
    """
    z = batched.encode(model, images, labels, bar)
    fresh = flatten_latents([e.numpy() for e in model.sample_latents(len(images), temperature, seed=seed)])
    ends = np.cumsum([0, *(np.prod(shape) for shape in model.latent_shapes)])
    return np.stack(
        [batched.decode(model, np.concatenate([fresh[:, :e], z[:, e:]], axis=1), labels, bar) for e in ends]
    )
