"""Image files: which endings are taken, and how a file becomes gray or color pixels of 8 bits."""

import io
import pathlib
from typing import IO

import numpy as np
from PIL import Image, ImageFile, ImageOps

from glow_tf.data.files import DamagedRecordError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
OTHER_ENDINGS = (".avif", ".heic", ".heif", ".jfif", ".jp2", ".pgm", ".ppm", ".tga")
"""Endings of images that are not read; they are named where they are left out."""

BITS_PER_SAMPLE, PHOTOMETRIC_INTERPRETATION = 258, 262
"""Numbers of tags of TIFF."""
WHITE_IS_ZERO = 0
"""Value of `PHOTOMETRIC_INTERPRETATION`: black has the greatest number."""


class NamedBytes(io.BytesIO):
    """The bytes of an image file, with a name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name

    def __str__(self) -> str:
        return self.name


def read_image(file: pathlib.Path | str | IO[bytes]) -> np.ndarray:
    """Read an image file as uint8 `[h, w, 1]` or `[h, w, 3]`, upright (see `pixels`); of an animation the first image.

    Args:
        file: path, or an open file whose `str` is a name for messages.

    Raises:
        DamagedRecordError: the file is damaged or not a picture of 8 or 16 bits.
    """
    try:
        if isinstance(file, str | pathlib.Path):
            _require_regular(pathlib.Path(file))
        with Image.open(file) as image:
            image.filename = ""  # else Pillow maps the file, which garbles gray TIFFs that EXIF data rotate
            scale_transparent_color(image)
            ImageOps.exif_transpose(image, in_place=True)
            return pixels(image)
    except DamagedRecordError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise DamagedRecordError(f"{file} cannot be read as an image: {error or type(error).__name__}") from error


def bits_per_sample(image: Image.Image) -> int:
    """Return the bits of a sample of an image of PIL's mode `I;16`, as the file has it. A TIFF may have 12."""
    return getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]


def scale_transparent_color(image: ImageFile.ImageFile) -> None:
    """Scale the transparent color of a PNG file to the 8 bits of its pixels; Pillow keeps the number of the file.

    Args:
        image: the opened image, whose pixels are not loaded yet. It is changed in place.
    """
    color = image.info.get("transparency")
    if image.format != "PNG" or color is None or not image.tile:
        return
    mode = image.tile[0][3]  # how the file has the pixels
    if mode in ("L;2", "L;4"):
        image.info["transparency"] = color * (255 // (2 ** int(mode[-1]) - 1))
    elif mode == "RGB;16B":
        # Of the pixels, too, the upper 8 bits are left, so colors that differ in the lower ones alone are one.
        image.info["transparency"] = tuple(value >> 8 for value in color)


def pixels(image: Image.Image, bits: int | None = None) -> np.ndarray:
    """Return an opened image as uint8 `[h, w, 1]` or `[h, w, 3]`.

    Palettes are resolved, transparent pixels are laid on white, and of 16 bits the upper 8 are taken.

    Args:
        image: the opened image.
        bits: `bits_per_sample` of the file that the image is a part or a copy of; None for the file itself.

    Raises:
        ValueError: the pixels are 32-bit integers or floats, whose range is unknown.
    """
    image.load()
    if image.mode.startswith("I;16"):
        return _upper_8_bits(image, bits or bits_per_sample(image))[..., None]
    if image.mode in ("I", "F"):
        kind = {"I": "integers of 32 bits", "F": "floats"}[image.mode]
        raise ValueError(f"its pixels are {kind}, whose range is unknown; save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    elif image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def _upper_8_bits(image: Image.Image, bits: int) -> np.ndarray:
    """Return an image of so many bits as uint8 `[h, w]`; Pillow's own conversion would clip at 255."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    gray = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO:  # which Pillow inverts for 8 bits only
        gray = 255 - gray
    transparent = image.info.get("transparency")
    return gray if transparent is None else np.where(values == transparent, np.uint8(255), gray)


def _require_regular(path: pathlib.Path) -> None:
    """Raise an error if a path is no file to read to its end, such as a named pipe, which would hang."""
    if path.exists() and not path.is_file():
        raise DamagedRecordError(f"{path} cannot be read as an image: it is not a regular file")
