"""A user's own image files, fitted to the images of a model."""

import pathlib
from collections.abc import Sequence

import numpy as np

from glow_tf.config import DataConfig
from glow_tf.data import images
from glow_tf.data.files import DamagedRecordError
from glow_tf.data.folder_checks import require_folder
from glow_tf.data.image_files import ENDINGS, read_image
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape


def read_own_images(
    paths: Sequence[pathlib.Path | str], image_shape: ImageShape, fit: images.FitMode = "resize"
) -> Images:
    """Read a user's image files as uint8 `[n, H, W, C]`.

    Args:
        paths: paths of the files.
        image_shape: the shape that the images are fitted to.
        fit: how images of another size are fitted (see `DataConfig.fit`).

    Raises:
        DataError: a file cannot be read as an image, or not be fitted.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (20, 16)).save(f"{folder}/image.png")
        ...     read_own_images(find_image_files(folder), (8, 8, 3)).shape
        (1, 8, 8, 3)
    """
    try:
        return np.stack([read_own_image(path, image_shape, fit) for path in paths])
    except DamagedRecordError as error:
        raise DataError(f"{error}.") from error


def read_own_image(path: pathlib.Path | str, image_shape: ImageShape, fit: images.FitMode = "resize") -> np.ndarray:
    """Read an image file as uint8 `[H, W, C]`.

    Raises:
        DamagedRecordError: it cannot be read as an image.
        DataError: it cannot be fitted to the shape.
    """
    image = read_image(path)
    images.check_shape(image.shape, image_shape, DataConfig(f"folder:{path}", fit=fit))
    return images.fit(image, image_shape, fit).numpy()


def find_image_files(folder: pathlib.Path | str) -> list[pathlib.Path]:
    """Return the paths of the image files in a folder, sorted by name.

    Raises:
        DataError: there are none.
    """
    folder = pathlib.Path(folder).expanduser()
    require_folder(folder)
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    if not paths:
        raise DataError(f"no images ({', '.join(ENDINGS)}) in {folder}.")
    return paths
