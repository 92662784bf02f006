"""Validation of uploaded image files, and their conversion to model inputs.

Invalid files raise a `DataError` with a user-facing message, whose attribute `status` is the HTTP status of the answer:
413 too large, 415 not an image in a format that is read, 422 an image that is broken or of another kind.
"""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from glow_tf.data import images
from glow_tf.data.image_files import pixels
from glow_tf.errors import DataError

MAX_BYTES = 20_000_000
"""Bytes of a file."""
MAX_PIXELS = 64_000_000
"""Pixels of a file before it is scaled: enough for any telephone's picture, too few for a decompression bomb."""
MIN_SIDE = 4
"""Pixels of the shorter side."""
MAX_ASPECT = 16
"""The longer side over the shorter one; the model's image is cropped from the center."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I;16B")


def check_bytes(count):
    """Raise a `DataError` if a file of `count` bytes is too large."""
    if count > MAX_BYTES:
        raise _rejection(413, f"This file has {count / 1e6:.0f} MB; give one of at most {MAX_BYTES // 10**6} MB.")


def read_upload(data, image_shape):
    """Return an uploaded image file as a model input: upright, the shorter side resized, the center cropped.

    Args:
        data: bytes of the file.
        image_shape: `(H, W, C)` of the model.

    Returns:
        uint8 `[H, W, C]`.

    Raises:
        DataError: the file is not a single picture of a reasonable size, in gray or RGB.
    """
    check_bytes(len(data))
    if not data:
        raise _rejection(422, "This file is empty; give a picture.")
    return images.fit(_decode(data), image_shape, "resize").numpy()


def _decode(data):
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image)
            image.load()
            return pixels(ImageOps.exif_transpose(image))
    except DataError:  # a ValueError too, which below stands for a damaged file
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels("This picture has too many pixels") from None
    except UnidentifiedImageError:
        kinds = ", ".join(FORMATS[:-1])
        message = f"This file is not a picture that can be read; give {kinds} or {FORMATS[-1]}."
        raise _rejection(415, message) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        reason = str(error).rstrip(".")
        raise _rejection(422, f"This picture is damaged or cut short ({reason}); give a whole one.") from error


def _check_header(image):
    """Raise a `DataError` if the header of an opened PIL image rules it out, before a pixel is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f"This picture has {width:,}x{height:,} pixels")
    if min(width, height) < MIN_SIDE:
        raise _rejection(422, f"This picture has {width}x{height} pixels; give at least {MIN_SIDE} a side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _rejection(422, f"This picture is {width}x{height}, a strip; cut out a part that is nearer to a square.")
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise _rejection(422, f"This file holds {frames} pictures, an animation or pages; save one of them alone.")
    if image.mode not in MODES:
        raise _rejection(415, f"This picture's colors are {image.mode}; save it as RGB or gray and give that.")


def _too_many_pixels(fact):
    return _rejection(413, f"{fact}; give one of at most {MAX_PIXELS // 10**6} million.")


def _rejection(status, message):
    """Return a `DataError` that carries the HTTP status of the answer."""
    error = DataError(message)
    error.status = status
    return error
