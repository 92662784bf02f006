"""Test that an uploaded file becomes an image of the model, or an error with a status."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from glow_tf.demo import uploads
from glow_tf.errors import DataError
from helpers.uploads import IMAGE, INVALID_FILES, RNG, encode_image, encode_png, encode_tiff_of_12_bits

SHAPE = (8, 8, 1)


def read_upload(data, shape):
    """Return the image alone."""
    return uploads.read_upload(data, shape)[0]


@pytest.mark.parametrize("name", INVALID_FILES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_read_upload_rejects_invalid_files(name):
    data, status, part = INVALID_FILES[name]
    with pytest.raises(DataError, match=part) as caught:
        read_upload(data, SHAPE)
    assert caught.value.status == status and str(caught.value).endswith(".")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 8, 3)])
def test_read_upload_accepts_every_usual_image_mode(mode, shape):
    image = read_upload(encode_image(Image.fromarray(IMAGE).convert(mode)), shape)
    assert image.shape == shape and image.dtype == np.uint8 and image.std() > 0


def test_read_upload_keeps_images_of_the_models_size():
    image = RNG.integers(0, 256, SHAPE, np.uint8)
    np.testing.assert_array_equal(read_upload(encode_image(image[..., 0]), SHAPE), image)
    larger = image.repeat(16, 0).repeat(16, 1)
    np.testing.assert_array_equal(read_upload(encode_image(larger[..., 0]), SHAPE), image)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 8, 3)])
def test_large_picture_is_averaged_in_strips_to_what_the_whole_one_gives(monkeypatch, mode, shape):
    rows, columns = np.mgrid[:203, :150]
    array = np.stack([rows, columns, (rows + columns) // 2, 255 - rows], -1).astype(np.uint8)
    image = Image.fromarray(array).convert("RGB" if mode == "P" else "L" if mode == "I;16" else mode)
    image = image.quantize(64) if mode == "P" else image
    image = Image.fromarray(np.asarray(image).astype(np.uint16) << 8) if mode == "I;16" else image
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    data = encode_image(image, exif=exif.tobytes())
    whole = read_upload(data, shape)
    monkeypatch.setattr(uploads, "MAX_FULL_PIXELS", 5_000)
    difference = np.abs(read_upload(data, shape).astype(int) - whole)
    assert whole.std() > 20 and difference.max() <= 8


@pytest.mark.parametrize("max_full_pixels", [10**6, 1000])
def test_picture_of_12_bits_keeps_its_upper_8(max_full_pixels, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FULL_PIXELS", max_full_pixels)
    assert np.all(read_upload(encode_tiff_of_12_bits(np.full((64, 64), 65535, np.uint16)), SHAPE) == 255)


@pytest.mark.parametrize("max_full_pixels", [10**6, 1000])
def test_transparent_color_of_a_png_has_the_bits_of_its_pixels(max_full_pixels, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FULL_PIXELS", max_full_pixels)
    row = b"\0" + b"\xaa" * 16  # 64 pixels of level 2 of 4, the transparent one
    assert np.all(read_upload(encode_png(64, 64, 2, 0, row * 64, b"\0\2"), SHAPE) == 255)


def test_telephones_picture_with_a_preview_is_its_first():
    preview = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    data = encode_image(np.full((64, 64, 3), 200, np.uint8), "MPO", save_all=True, append_images=[preview])
    assert np.all(read_upload(data, SHAPE) == 200)


def test_large_picture_takes_little_memory_beside_its_decoded_file(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FULL_PIXELS", 100_000)
    data = encode_image(np.zeros((2000, 2000, 4), np.uint8))
    tracemalloc.start()  # which sees NumPy's arrays, and not Pillow's images
    try:
        assert np.all(read_upload(data, SHAPE) == 255), "transparent: white"
        assert tracemalloc.get_traced_memory()[1] < 4e6, "as a whole it has 12 MB"
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damaged_file_of_each_format_is_read_or_refused(kind):
    whole = encode_image(IMAGE, kind)
    rng = np.random.default_rng(3)
    for _ in range(40):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, min(len(data), 120), 3)] = rng.integers(0, 256, 3)
        try:
            assert read_upload(data.tobytes(), SHAPE).shape == SHAPE
        except DataError as error:
            assert error.status in (413, 415, 422) and "\n" not in str(error) and len(str(error)) < 300  # noqa: PT017 (not all are refused)


def test_read_upload_keeps_the_gray_levels_of_16_bit_images():
    image = RNG.integers(0, 256, SHAPE, np.uint8)
    np.testing.assert_array_equal(read_upload(encode_image(image[..., 0].astype(np.uint16) << 8), SHAPE), image)


@pytest.mark.parametrize(
    ("size", "mode", "orientation", "notes"),
    [
        ((8, 8), "L", 1, ""),
        ((24, 8), "L", 1, "Only the middle square of your 24x8 pixels is used."),
        (
            (24, 16),
            "RGB",
            6,
            "your 16x24 pixels is used. It is reduced to the 8x8 pixels of this model. Its",
        ),
        ((4, 4), "L", 1, "It is resized to the 8x8 pixels of this model."),
    ],
)
def test_read_upload_says_what_it_changes(size, mode, orientation, notes):
    exif = Image.Exif()
    exif[0x0112] = orientation
    text = " ".join(uploads.read_upload(encode_image(Image.new(mode, size), exif=exif.tobytes()), SHAPE)[1])
    assert notes in text and bool(text) == bool(notes)


def test_read_upload_applies_the_exif_orientation():
    image = RNG.integers(0, 256, (8, 8), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    result = read_upload(encode_image(image, exif=exif.tobytes()), SHAPE)
    np.testing.assert_array_equal(result[..., 0], image[::-1, ::-1])


@pytest.mark.parametrize(("side", "verb"), [(12, "resized"), (20, "reduced")])
def test_picture_for_a_wide_model_is_reduced_only_if_its_width_is(side, verb):
    notes = uploads.read_upload(encode_image(Image.new("L", (side, side))), (8, 16, 1))[1]
    assert notes[1] == f"It is {verb} to the 16x8 pixels of this model."
