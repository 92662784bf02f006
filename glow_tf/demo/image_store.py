"""The images that a visitor of the page works on, by id."""

import collections
import dataclasses
import hashlib

import numpy as np

from glow_tf import quantization

MAX_UPLOADED_IMAGES = 64
"""Uploaded images that are stored; the oldest is dropped first."""


class UnknownImage(LookupError):
    """An image id that is not stored, or no longer."""


@dataclasses.dataclass
class StoredImage:
    """An image with what is known about it.

    Args:
        image: uint8 `[H, W, C]`, quantized to the bits of the model.
        label: int, its class in a conditional model, else None.
        z: float32 `[D]`, its flat latents, or None until they are first needed.
    """

    image: np.ndarray
    label: int | None = None
    z: np.ndarray | None = None


class ImageStore:
    """Test images, which stay, and a bounded number of uploaded images.

    Args:
        bits: int, bits per channel of the model.
    """

    def __init__(self, bits):
        self._bits = bits
        self._test = {}
        self._uploaded = collections.OrderedDict()

    @property
    def test_ids(self):
        """Return the ids of the test images, as a list."""
        return list(self._test)

    @property
    def uploaded_ids(self):
        """Return the ids of the uploaded images, oldest first, as a list."""
        return list(self._uploaded)

    def add_test_image(self, image, label=None):
        """Store the next test image, uint8 `[H, W, C]`, under the id `"test-N"`."""
        self._test[f"test-{len(self._test)}"] = self._quantized(image, label)

    def add(self, image, label=None):
        """Store an uploaded image, uint8 `[H, W, C]`, and return its id: the same for the same image and label."""
        stored = self._quantized(image, label)
        image_id = f"own-{hashlib.sha256(stored.image.tobytes()).hexdigest()[:12]}-{label}"
        self._uploaded[image_id] = self._uploaded.pop(image_id, stored)
        while len(self._uploaded) > MAX_UPLOADED_IMAGES:
            self._uploaded.popitem(last=False)
        return image_id

    def get(self, image_id):
        """Return the `StoredImage` of an id.

        Raises:
            UnknownImage: there is none.
        """
        stored = self._test.get(image_id) or self._uploaded.get(image_id)
        if stored is None:
            raise UnknownImage("This image is no longer stored here; choose it again.")
        return stored

    def _quantized(self, image, label):
        return StoredImage(quantization.quantize(image, self._bits).numpy(), label)
