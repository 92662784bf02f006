"""Packages that only parts of the library need, and the extras of `pip install` that bring them."""

import contextlib
from collections.abc import Iterator

from glow_tf.errors import MissingPackageError

PACKAGES = {
    "PIL": ("pillow", "train"),
    "matplotlib": ("matplotlib", "train"),
    "tqdm": ("tqdm", "train"),
    "tyro": ("tyro", "train"),
    "docstring_parser": ("docstring-parser", "train"),
    "importlib_resources": ("importlib_resources", "data"),
    "mlxtend": ("mlxtend", "data"),
    "skimage": ("scikit-image", "data"),
    "tensorflow_datasets": ("tensorflow-datasets", "data"),
    "dicebear": ("dicebear-core", "faces"),
    "resvg_py": ("resvg-py", "faces"),
    "sklearn": ("scikit-learn", "evaluate"),
    "lmdb": ("lmdb", "lmdb"),
    "fastapi": ("fastapi", "demo"),
    "starlette": ("fastapi", "demo"),
    "pydantic": ("fastapi", "demo"),
    "uvicorn": ("uvicorn", "demo"),
    "h11": ("uvicorn", "demo"),
    "imageio_ffmpeg": ("imageio-ffmpeg", "video"),
    "playwright": ("playwright", "dev"),
    "nbclient": ("nbclient", "dev"),
    "nbformat": ("nbformat", "dev"),
}
"""For each optional package, as it is imported: the package that pip installs for it, and the extra that brings it."""


@contextlib.contextmanager
def optional_packages() -> Iterator[None]:
    """Say within the context how a missing optional package is installed.

    Raises:
        MissingPackageError: a package of `PACKAGES` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in PACKAGES:
            raise
        name, extra = PACKAGES[package]
        raise MissingPackageError(f"this needs the package {name}: pip install 'glow_tf[{extra}]'.") from error
