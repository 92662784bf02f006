"""Test that an uploaded file becomes an image of the model, or an error with a status."""

import numpy as np
import pytest
from PIL import Image

from glow_tf.demo.uploads import read_upload
from glow_tf.errors import DataError
from helpers.uploads import IMAGE, INVALID_FILES, RNG, encode_image

SHAPE = (8, 8, 1)


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


def test_read_upload_keeps_the_gray_levels_of_16_bit_images():
    image = RNG.integers(0, 256, SHAPE, np.uint8)
    np.testing.assert_array_equal(read_upload(encode_image(image[..., 0].astype(np.uint16) << 8), SHAPE), image)


def test_read_upload_applies_the_exif_orientation():
    image = RNG.integers(0, 256, (8, 8), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    result = read_upload(encode_image(image, exif=exif.tobytes()), SHAPE)
    np.testing.assert_array_equal(result[..., 0], image[::-1, ::-1])
