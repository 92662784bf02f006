"""Reconstructions: `decode(encode(x))`, and images whose fine latents are drawn anew."""

import numpy as np

from glow_tf import quantization


def reconstruct(model, images, labels=None):
    """`(reconstructions uint8 [n, H, W, C], largest error)`, the error against the quantised images, in grey levels."""
    back = model.decode(model.encode(images, labels), labels).numpy()
    expected = quantization.quantize(images, model.config.bits).numpy()
    return back, int(np.max(np.abs(back.astype(int) - expected)))


def float_error(model, images, labels=None):
    """The largest difference of `x` and `flow.decode(flow.encode(x))`, floats in [-0.5, 0.5)."""
    x = model.dequantize(images, noise=0.5)
    back, _ = model.flow.decode(model.flow.encode(x, labels)[0], labels)
    return float(np.max(np.abs(back - x)))


def redraw_levels(model, images, labels=None, temperature=0.7, seed=0):
    """Images with the latents of the finest levels drawn anew: `[levels + 1, n, H, W, C]`.

    Row i keeps the coarsest `levels - i` levels, so row 0 is the reconstruction and the last one a plain sample: what
    each level stands for (paper, figure 2b).
    """
    eps = model.encode(images, labels)
    fresh = model.sample_latents(len(images), temperature, seed=seed)
    return np.stack([model.decode(fresh[:i] + list(eps[i:]), labels).numpy() for i in range(len(eps) + 1)])
