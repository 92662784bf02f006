"""Packages that only parts of the library need, and the extras of `pip install` that bring them."""

import contextlib
import os
import pathlib
import shlex
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
        raise MissingPackageError(f"this needs the package {name}: {install_command(extra)}.") from error


def install_command(extra: str) -> str:
    """Return the command that installs an extra, from the clone that this code is in, if it is in one.

    Args:
        extra: name of the extra, such as `"demo"`.
    """
    folder = pathlib.Path(__file__).resolve().parent.parent
    source = "glow_tf"
    if (folder / "pyproject.toml").is_file():
        source = "." if folder == pathlib.Path(os.path.realpath(".")) else str(folder)
    return f"pip install {shlex.quote(f'{source}[{extra}]')}"
