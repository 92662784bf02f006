"""The images that a visitor of the page works on, by id."""

import collections
import dataclasses
import hashlib

import numpy as np

from glow_tf import quantization
from glow_tf.types import TensorLike

MAX_UPLOADED_IMAGES = 64
"""Uploaded images that are stored; the oldest is dropped first."""


class UnknownImageError(LookupError):
    """Report an image id that is not stored, or no longer."""


@dataclasses.dataclass
class StoredImage:
    """An image with its label and latents.

    Args:
        image: uint8 `[H, W, C]`, quantized to the bits of the model.
        label: its class in a conditional model, else None.
        z: float32 `[D]`, its flat latents, or None until they are first needed.
    """

    image: np.ndarray
    label: int | None = None
    z: np.ndarray | None = None


class ImageStore:
    """Test images, which stay, and a bounded number of uploaded images.

    Args:
        bits: bits per channel of the model.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._test: dict[str, StoredImage] = {}
        self._uploaded: collections.OrderedDict[str, StoredImage] = collections.OrderedDict()

    @property
    def test_ids(self) -> list[str]:
        """Return the ids of the test images."""
        return list(self._test)

    @property
    def uploaded_ids(self) -> list[str]:
        """Return the ids of the uploaded images, oldest first."""
        return list(self._uploaded)

    def add_test_image(self, image: TensorLike, label: int | None = None) -> None:
        """Store the next test image, uint8 `[H, W, C]`, under the id `"test-N"`."""
        self._test[f"test-{len(self._test)}"] = self._quantized(image, label)

    def add(self, image: TensorLike, label: int | None = None) -> str:
        """Store an uploaded image, uint8 `[H, W, C]`, and return its id: the same for the same image and label."""
        stored = self._quantized(image, label)
        image_id = f"own-{hashlib.sha256(stored.image.tobytes()).hexdigest()[:12]}-{label}"
        self._uploaded[image_id] = self._uploaded.pop(image_id, stored)
        while len(self._uploaded) > MAX_UPLOADED_IMAGES:
            self._uploaded.popitem(last=False)
        return image_id

    def get(self, image_id: str) -> StoredImage:
        """Return the image of an id.

        Raises:
            UnknownImageError: there is none.
        """
        stored = self._test.get(image_id) or self._uploaded.get(image_id)
        if stored is None:
            raise UnknownImageError("This image is no longer stored here; choose it again.")
        return stored

    def _quantized(self, image: TensorLike, label: int | None) -> StoredImage:
        return StoredImage(quantization.quantize(image, self._bits).numpy(), label)
