"""Reconstructions `decode(encode(x))`, and images whose fine latents are redrawn."""

import numpy as np

from glow_tf import batched, quantization
from glow_tf.latents import flatten_latents


def reconstruct(model, images, labels=None, *, bar=None):
    """Encode and decode images.

    Returns:
        `(reconstructions, largest error)`: uint8 `[n, H, W, C]`, and the largest absolute difference from the
        quantized images, in gray levels.
    """
    z = batched.encode(model, images, labels, bar=bar)
    reconstructions = batched.decode(model, z, labels, bar=bar)
    expected = quantization.quantize(images, model.config.bits).numpy()
    return reconstructions, int(np.max(np.abs(reconstructions.astype(int) - expected)))


def float_error(model, images, labels=None):
    """Compute the largest difference of `x` and `flow.decode(flow.encode(x))`, floats in [-0.5, 0.5).

    All images are processed at once, so there must be few.
    """
    x = model.dequantize(images, noise=0.5)
    reconstruction, _ = model.flow.decode(model.flow.encode(x, labels)[0], labels)
    return float(np.max(np.abs(reconstruction - x)))


def redraw_levels(model, images, labels=None, *, temperature=0.7, seed=0, bar=None):
    """Redraw the latents of the finest levels of images, to show what each level stands for (paper, figure 2b).

    Returns:
        uint8 `[levels + 1, n, H, W, C]`. Row i keeps the coarsest `levels - i` levels, so row 0 is the reconstruction
        and the last row a plain sample.
    """
    z = batched.encode(model, images, labels, bar=bar)
    fresh = flatten_latents([eps.numpy() for eps in model.sample_latents(len(images), temperature, seed=seed)])
    ends = np.cumsum([0, *(np.prod(shape) for shape in model.latent_shapes)])
    return np.stack(
        [batched.decode(model, np.concatenate([fresh[:, :e], z[:, e:]], axis=1), labels, bar=bar) for e in ends]
    )
