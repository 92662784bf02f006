"""Make valid and invalid image files for the upload tests."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from glow_tf.demo.uploads import TOO_LARGE_FILE

RNG = np.random.default_rng(0)


def encode_image(image, kind="PNG", **options):
    """Return an image, an array or PIL's, as the bytes of an image file."""
    data = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(data, format=kind, **options)
    return data.getvalue()


def encode_png(width, height, depth, color_type, data, transparent=b""):
    """Return a PNG file of parts, also of a kind that Pillow reads and does not write.

    Args:
        width, height: size in pixels.
        depth: bits of a sample.
        color_type: 0 for gray, 2 for RGB.
        data: the rows, each after a byte for its filter (0).
        transparent: the transparent color, 2 bytes a channel; empty: none.
    """

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    if transparent:
        chunks.insert(1, chunk(b"tRNS", transparent))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def encode_png_header(width, height):
    """Return a PNG whose header gives a huge size, without the pixels."""
    return encode_png(width, height, 8, 2, b"")


def encode_tiff_of_12_bits(array):
    """Return a TIFF of 12 bits a sample, which Pillow reads and does not write, of an array of uint16."""
    tag = b"\x02\x01\x03\x00\x01\x00\x00\x00"  # BitsPerSample, one short
    content = encode_image(array, "TIFF")
    assert content.count(tag + b"\x10") == 1
    return content.replace(tag + b"\x10", tag + b"\x0c")


def encode_animation():
    """Return an animated GIF of three frames."""
    frames = [Image.fromarray(RNG.integers(0, 256, (20, 20), np.uint8)) for _ in range(3)]
    return encode_image(frames[0], "GIF", save_all=True, append_images=frames[1:])


def encode_tiff_with_an_empty_page():
    """Return a TIFF whose second page has no size, on which Pillow raises a TypeError."""
    data = bytearray(encode_image(np.zeros((20, 20), np.uint8), "TIFF"))
    end_of_page = 10 + 12 * data[8]
    data[end_of_page : end_of_page + 4] = (len(data) - 6).to_bytes(4, "little")
    return bytes(data)


IMAGE = RNG.integers(0, 256, (40, 30, 3), np.uint8)
INVALID_FILES = {
    "text": (b"hello, world", 415, "not a picture"),
    "empty": (b"", 422, "empty"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not a picture"),
    "100 MB": (bytes(100_000_000), 413, TOO_LARGE_FILE),
    "1x1": (encode_image(IMAGE[:1, :1]), 422, "1x1 pixels"),
    "strip": (encode_image(np.zeros((8, 400), np.uint8)), 422, "400x8, a strip"),
    "cmyk": (encode_image(Image.fromarray(IMAGE).convert("CMYK"), "JPEG"), 415, "CMYK"),
    "animated": (encode_animation(), 422, "several pictures"),
    "truncated png": (encode_image(IMAGE)[:-600], 422, "damaged or cut short"),
    "truncated jpeg": (encode_image(IMAGE, "JPEG")[:-200], 422, "damaged or cut short"),
    "broken png": (encode_image(IMAGE)[:60].ljust(4000, b"\xff"), 422, "damaged or cut short"),
    "empty page": (encode_tiff_with_an_empty_page(), 422, "damaged or cut short"),
    "many pixels": (encode_png_header(9000, 9000), 413, "9,000x9,000"),
    "bomb": (encode_png_header(60_000, 60_000), 413, "too many pixels"),
}
