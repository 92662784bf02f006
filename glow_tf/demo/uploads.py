"""Validation of uploaded image files, and their conversion to model inputs.

Invalid files raise an `UploadError` with a user-facing message, whose attribute `status` is the HTTP status of the
answer: 413 too large, 415 not an image in a format that is read, 422 an image that is broken or of another kind.
"""

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from glow_tf.data import images
from glow_tf.data.image_files import bits_per_sample, pixels, scale_transparent_color
from glow_tf.errors import DataError
from glow_tf.io import describe_error
from glow_tf.types import ImageShape

MAX_BYTES = 20_000_000
"""Bytes of a file."""
TOO_LARGE_FILE = f"This file has more than {MAX_BYTES // 10**6} MB; give one of at most {MAX_BYTES // 10**6} MB."
MAX_PIXELS = 64_000_000
"""Pixels of a file before it is scaled: enough for any telephone's picture, too few for a decompression bomb."""
MIN_SIDE = 4
"""Pixels of the shorter side."""
MAX_ASPECT = 16
"""The longer side over the shorter one; the model's image is cropped from the center."""
MAX_FULL_PIXELS = 4_000_000
"""Pixels of a picture that is converted as a whole; larger ones are averaged first, in strips of so many."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
ORIENTATION = ExifTags.Base.Orientation
LYING = (5, 6, 7, 8)
"""Orientations in which rows and columns are exchanged."""
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I;16B")


class UploadError(DataError):
    """Report an uploaded file that cannot be used.

    Args:
        status: the HTTP status of the answer.
        message: a sentence for the user.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_upload(data: bytes, image_shape: ImageShape) -> tuple[np.ndarray, list[str]]:
    """Return an uploaded image file as a model input: upright, the shorter side resized, the center cropped.

    Args:
        data: bytes of the file.
        image_shape: `(H, W, C)` of the model.

    Returns:
        uint8 `[H, W, C]`, and sentences on what of the picture was changed.

    Raises:
        UploadError: the file is not a single picture of a reasonable size, in gray or RGB.
    """
    if len(data) > MAX_BYTES:
        raise UploadError(413, TOO_LARGE_FILE)
    if not data:
        raise UploadError(422, "This file is empty; give a picture.")
    array, size = _decode(data, image_shape)
    return images.fit(array, image_shape, "resize").numpy(), _describe_changes(array.shape[-1], size, image_shape)


def _describe_changes(channels: int, size: tuple[int, int], image_shape: ImageShape) -> list[str]:
    """Return sentences on what becomes of a picture of a number of channels and of a size `(width, height)`."""
    height, width, model_channels = image_shape
    notes, reduction = [], min(size[0] / width, size[1] / height)
    if size[0] * height != size[1] * width:
        part = "middle square" if height == width else f"middle, {width} wide to {height} high,"
        notes.append(f"Only the {part} of your {size[0]}x{size[1]} pixels is used.")
    if reduction != 1:
        notes.append(f"It is {'reduced' if reduction > 1 else 'resized'} to the {width}x{height} pixels of this model.")
    if channels > model_channels:
        notes.append("Its colors become gray, as this model knows no others.")
    return notes


def _decode(data: bytes, image_shape: ImageShape) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the pixels of an image file, uint8 `[h, w, 1]` or `[h, w, 3]`, of a large picture with fewer of them.

    The second value is the size of the whole picture, `(width, height)`, as one looks at it.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image)
            bits = bits_per_sample(image)  # which Pillow's copies do not keep
            scale_transparent_color(image)
            width, height = image.size
            size = (height, width) if image.getexif().get(ORIENTATION, 1) in LYING else (width, height)
            image = _shrink(image, image_shape, bits)
            return pixels(ImageOps.exif_transpose(image), bits), size
    except DataError:  # a ValueError too, which below stands for a damaged file
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels("This picture has too many pixels") from None
    except UnidentifiedImageError:
        kinds = ", ".join(FORMATS[:-1])
        message = f"This file is not a picture that can be read; give {kinds} or {FORMATS[-1]}."
        raise UploadError(415, message) from None
    except Exception as error:  # Pillow's decoders raise errors of many kinds on damaged files
        message = f"This picture is damaged or cut short ({describe_error(error)}); give a whole one."
        raise UploadError(422, message) from error


def _shrink(image: Image.Image, image_shape: ImageShape, bits: int) -> Image.Image:
    """Return a PIL image with fewer pixels, whose shorter side is at least twice the model's longer one.

    Squares of pixels are averaged, strip by strip, which takes little memory beside the decoded file. Pictures of at
    most `MAX_FULL_PIXELS` are returned as they are.
    """
    factor = min(image.size) // (2 * max(image_shape[:2]))
    if image.width * image.height <= MAX_FULL_PIXELS or factor < 2:
        return image
    rows = factor * max(1, MAX_FULL_PIXELS // (factor * image.width))
    strips = [
        _average(pixels(image.crop((0, top, image.width, min(top + rows, image.height))), bits), factor)
        for top in range(0, image.height, rows)
    ]
    array = np.concatenate(strips)
    small = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    small.getexif()[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
    return small


def _average(array: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of `factor` x `factor` pixels, and of what is left at the right and at the bottom.

    Args:
        array: uint8 `[h, w, c]`.
        factor: side of a square in pixels.

    Returns:
        uint8 `[ceil(h / factor), ceil(w / factor), c]`.
    """
    for axis in (0, 1):
        starts = np.arange(0, array.shape[axis], factor)
        counts = np.diff(starts, append=array.shape[axis]).astype(np.float32)
        array = np.add.reduceat(array, starts, axis, np.float32) / np.expand_dims(counts, (1 - axis, 2))
    return np.round(array).astype(np.uint8)


def _check_header(image: Image.Image) -> None:
    """Raise an `UploadError` if the header of an opened PIL image rules it out, before a pixel is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f"This picture has {width:,}x{height:,} pixels")
    if min(width, height) < MIN_SIDE:
        raise UploadError(422, f"This picture has {width}x{height} pixels; give at least {MIN_SIDE} a side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UploadError(422, f"This picture is {width}x{height}, a strip; cut out a part that is nearer to a square.")
    if _has_several_frames(image):
        raise UploadError(422, "This file holds several pictures, an animation or pages; save one of them alone.")
    if image.mode not in MODES:
        raise UploadError(415, f"This picture's colors are {image.mode}; save it as RGB or gray and give that.")


def _has_several_frames(image: Image.Image) -> bool:
    """Return whether there is a second frame. To count them all would take long in a file of a million.

    A telephone's JPEG may hold a preview of its first frame, which is the picture (MPO).
    """
    if image.format == "MPO":
        return False
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _too_many_pixels(fact: str) -> UploadError:
    return UploadError(413, f"{fact}; give one of at most {MAX_PIXELS // 10**6} million.")
