"""32x32 color crops of photographs that come with scikit-image, all CC0 or in the public domain.

| split | photographs (`skimage.data`) | crops |
|---|---|---|
| train | `astronaut` (NASA), `coffee`, `rocket` (SpaceX), `stereo_motorcycle` (left) | every 4 pixels, upper part |
| validation | the same | every 8 pixels of the lowest fifth, which shares no pixel with a training crop |
| test | `chelsea` | every 8 pixels |

The photographs are first halved, so that a crop shows objects rather than surfaces.
"""

import numpy as np

from glow_tf.config import DataConfig
from glow_tf.data.arrays import array_source
from glow_tf.data.source import ArraySource
from glow_tf.data.splits import consecutive_rows
from glow_tf.types import Images, ImageShape

TRAINING = ("astronaut", "coffee", "rocket", "stereo_motorcycle")
TEST = ("chelsea",)
CROP_SIZE = 32


def photos(config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open the source `bundled:photos`."""
    splits: dict[str, list[Images]] = {"train": [], "validation": []}
    splits["test"] = [crops(photograph(name), 8) for name in TEST]
    for name in TRAINING:
        image = photograph(name)
        border = image.shape[0] * 4 // 5
        splits["train"].append(crops(image[:border], 4))
        splits["validation"].append(crops(image[border:], 8))
    images = {split: np.concatenate(parts) for split, parts in splits.items()}
    rows = consecutive_rows({split: len(i) for split, i in images.items()})
    return array_source("bundled:photos", np.concatenate(list(images.values())), None, rows, config, image_shape)


def photograph(name: str) -> np.ndarray:
    """Return a photograph as uint8 `[h, w, 3]`, halved by averaging 2x2 pixels."""
    import skimage.data

    image = getattr(skimage.data, name)()
    image = image[0] if isinstance(image, tuple) else image  # the stereo pair counts as one photograph
    height, width = (s // 2 * 2 for s in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.round(blocks.mean((1, 3))).astype(np.uint8)


def crops(image: np.ndarray, stride: int) -> Images:
    """Return all crops `[n, 32, 32, 3]` of an image, every `stride` pixels down and across."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (CROP_SIZE, CROP_SIZE), axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride], 2, -1).reshape(-1, CROP_SIZE, CROP_SIZE, 3)
