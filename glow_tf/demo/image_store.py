"""The images that a visitor of the page works on, by id."""

import collections
import dataclasses
import hashlib
import threading

import numpy as np

from glow_tf import quantization
from glow_tf.types import TensorLike

MAX_UPLOADED_IMAGES = 64
"""Uploaded images and samples that are stored; the one whose last use is longest ago is dropped first."""


class UnknownImageError(LookupError):
    """Report an image id that is not stored, or no longer."""


@dataclasses.dataclass(eq=False)
class StoredImage:
    """An image with its label and latents.

    Args:
        image: uint8 `[H, W, C]`, quantized to the bits of the model.
        label: its class in a conditional model, else None.
        z: float32 `[D]`, its flat latents, or None until they are first needed.
        bits_per_dim: its bits/dim, or None until they are first needed.
        kind: first word of its id: "own" of a visitor's image, "sample" of a sample.
    """

    image: np.ndarray
    label: int | None = None
    z: np.ndarray | None = None
    bits_per_dim: float | None = None
    kind: str = "own"


class ImageStore:
    """Test images, which stay, and a bounded number of uploaded images and samples.

    Args:
        bits: bits per channel of the model.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._test: dict[str, StoredImage] = {}
        self._uploaded: collections.OrderedDict[str, StoredImage] = collections.OrderedDict()
        self._lock = threading.Lock()  # a computation and requests for image files run in threads of their own

    @property
    def test_ids(self) -> list[str]:
        """Return the ids of the test images."""
        return list(self._test)

    def add_test_image(self, image: TensorLike, label: int | None = None) -> None:
        """Store the next test image, uint8 `[H, W, C]`, under the id `"test-N"`."""
        self._test[f"test-{len(self._test)}"] = self.quantized(image, label)

    def quantized(self, image: TensorLike, label: int | None = None) -> StoredImage:
        """Return an image uint8 `[H, W, C]` as one that can be stored."""
        return StoredImage(quantization.quantize(image, self._bits).numpy(), label)

    def add(self, stored: StoredImage) -> str:
        """Store an uploaded image or a sample, and return its id: the same for the same image and label.

        If there are too many, the one whose last use is longest ago is dropped.
        """
        image_id = f"{stored.kind}-{hashlib.sha256(stored.image.tobytes()).hexdigest()[:12]}-{stored.label}"
        with self._lock:
            self._uploaded.setdefault(image_id, stored)
            self._uploaded.move_to_end(image_id)
            while len(self._uploaded) > MAX_UPLOADED_IMAGES:
                self._uploaded.popitem(last=False)
        return image_id

    def get(self, image_id: str) -> StoredImage:
        """Return the image of an id.

        Raises:
            UnknownImageError: there is none.
        """
        if image_id in self._test:
            return self._test[image_id]
        with self._lock:
            if image_id not in self._uploaded:
                raise UnknownImageError("This image is no longer stored here; choose it again.")
            self._uploaded.move_to_end(image_id)
            return self._uploaded[image_id]
