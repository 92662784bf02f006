"""32x32 colour crops of photographs that come with scikit-image, all CC0 or in the public domain.

| split | photographs (`skimage.data`) | crops |
|---|---|---|
| train | `astronaut` (NASA), `coffee`, `rocket` (SpaceX), `stereo_motorcycle` (left) | every 4 pixels, upper part |
| validation | the same | every 8 pixels of the lowest fifth, which shares no pixel with a training crop |
| test | `chelsea` | every 8 pixels |

The photographs are first halved, so that a crop shows things rather than surfaces.
"""

import numpy as np

from glow_tf.data.source import ArraySource, complete_splits

TRAINING = ("astronaut", "coffee", "rocket", "stereo_motorcycle")
TEST = ("chelsea",)
SIZE = 32


def photograph(name):
    """A photograph as uint8 `[h, w, 3]`, halved by averaging 2x2 pixels."""
    import skimage.data

    image = getattr(skimage.data, name)()
    image = image[0] if isinstance(image, tuple) else image  # the stereo pair counts as one photograph
    height, width = (s // 2 * 2 for s in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.round(blocks.mean((1, 3))).astype(np.uint8)


def crops(image, stride):
    """All crops `[n, 32, 32, 3]` of an image, every `stride` pixels down and across."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (SIZE, SIZE), axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride], 2, -1).reshape(-1, SIZE, SIZE, 3)


def photos(config):
    """The source `bundled:photos`."""
    parts = {"train": [], "validation": [], "test": [crops(photograph(name), 8) for name in TEST]}
    for name in TRAINING:
        image = photograph(name)
        border = image.shape[0] * 4 // 5
        parts["train"].append(crops(image[:border], 4))
        parts["validation"].append(crops(image[border:], 8))
    images, rows, start = [], {}, 0
    for split, some in parts.items():
        images.append(np.concatenate(some))
        rows[split] = np.arange(start, start + len(images[-1]))
        start += len(images[-1])
    return ArraySource("bundled:photos", np.concatenate(images), None, complete_splits(rows, config))
