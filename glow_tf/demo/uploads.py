"""Files that people give to the page, as images of a model; whatever else they are becomes a sentence."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from glow_tf.data import images
from glow_tf.data.folder import pixels
from glow_tf.errors import GlowError

MAX_BYTES = 20_000_000
MAX_PIXELS = 64_000_000
"""Of a file before it is scaled: any telephone's picture, and no decompression bomb."""
MIN_SIDE = 4
MAX_ASPECT = 16
"""The longer side over the shorter one; a model's image is cut from the middle."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


class UploadError(GlowError):
    """A file that cannot be used. `status` is HTTP's: 413 too large, 415 not a picture for us, 422 a broken one."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def check_bytes(count):
    """An `UploadError` for a file of more than `MAX_BYTES`."""
    if count > MAX_BYTES:
        raise UploadError(413, f"This file has {count / 1e6:.0f} MB; give one of at most {MAX_BYTES // 10**6} MB.")


def read_upload(data, image_shape):
    """The bytes of an image file as uint8 `[H, W, C]`: upright, the shorter side resized, the centre cropped.

    Raises:
        UploadError: they are no single picture of a reasonable size, in grey or RGB.
    """
    check_bytes(len(data))
    if not data:
        raise UploadError(422, "This file is empty; give a picture.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image)
            image.load()
            array = pixels(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise UploadError(413, _too_many("This picture has too many pixels")) from None
    except UnidentifiedImageError:
        kinds = ", ".join(FORMATS[:-1])
        raise UploadError(415, f"This file is not a picture that can be read; give {kinds} or {FORMATS[-1]}.") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        reason = str(error).rstrip(".")
        raise UploadError(422, f"This picture is damaged or cut short ({reason}); give a whole one.") from error
    return images.fit(array, image_shape, "resize").numpy()


def _check(image):
    """What the header tells, before a pixel is decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UploadError(413, _too_many(f"This picture has {width:,}x{height:,} pixels"))
    if min(width, height) < MIN_SIDE:
        raise UploadError(422, f"This picture has {width}x{height} pixels; give at least {MIN_SIDE} a side.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UploadError(422, f"This picture is {width}x{height}, a strip; cut out a part that is nearer to a square.")
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UploadError(422, f"This file holds {frames} pictures, an animation or pages; save one of them alone.")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I;16B"):
        raise UploadError(415, f"This picture's colours are {image.mode}; save it as RGB or grey and give that.")


def _too_many(what):
    return f"{what}; give one of at most {MAX_PIXELS // 10**6} million."
