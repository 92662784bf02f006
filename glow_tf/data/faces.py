"""`bundled:faces`: 10,000 drawn faces to train on and 1,000 to test on, in 32x32 or 64x64 pixels, with attributes.

They are drawn at the first use, by all cores, and kept in the cache folder (see `glow_tf.cache`).
"""

import contextlib
import importlib.metadata
import io
import logging
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import tqdm

from glow_tf.array_files import ArrayArchive
from glow_tf.cache import cached
from glow_tf.config import DataConfig
from glow_tf.data import face_drawings
from glow_tf.data.arrays import array_source
from glow_tf.data.face_drawings import ATTRIBUTES, CREDITS, SIZE
from glow_tf.data.hold_out import digest
from glow_tf.data.source import ArraySource
from glow_tf.data.splits import consecutive_rows
from glow_tf.errors import DataError
from glow_tf.types import Images, ImageShape

logger = logging.getLogger(__name__)

COUNTS = {"train": 10_000, "test": 1_000}
SMALL_SIZE = 32
"""Height and width of the faces for models of at most so many pixels; larger models get `SIZE`."""

PACKAGES = {"dicebear-core": ">=10.7,<11", "dicebear-styles": ">=10.6,<11", "resvg-py": ">=0.5,<0.6"}
"""The packages of the extra `faces`, and their versions."""


def faces(config: DataConfig, image_shape: ImageShape) -> ArraySource:
    """Open the source `bundled:faces`, in the one of its two sizes that suits the model's images."""
    size = SMALL_SIZE if max(image_shape[:2]) <= SMALL_SIZE else SIZE
    images = cached_images(sum(COUNTS.values()), size)
    return array_source(
        "bundled:faces",
        images,
        None,
        consecutive_rows(COUNTS),
        config,
        image_shape,
        attributes=face_drawings.attributes_of(face_drawings.list_features(len(images))),
        attribute_names=tuple(ATTRIBUTES),
        credits=CREDITS,
    )


def cached_images(count: int, size: int) -> Images:
    """Return the first `count` faces, uint8 `[count, size, size, 3]`, from the cache, where they are drawn once.

    Raises:
        DataError: a package is missing, or the faces cannot be drawn.
        RunError: the cache folder cannot be written.
    """

    def read(path: pathlib.Path) -> Images:
        with ArrayArchive(path) as archive:
            return archive[str(size)]

    return cached(f"faces-{count}-{_version()}.npz", read, lambda path: _write(path, count))


def _write(path: pathlib.Path, count: int) -> None:
    logger.info("%s faces are drawn once and kept in %s. %s", f"{count:,}", path.parent, CREDITS)
    images = draw(count)
    arrays: dict[str, Any] = {str(SMALL_SIZE): halved(images), str(SIZE): images}
    np.savez_compressed(path, **arrays)


def _version() -> str:
    """Return a digest of all that the images depend on: the versions of the packages, and what they are to draw.

    Raises:
        DataError: a package is missing.
    """
    versions, missing = [], []
    for package, specifier in PACKAGES.items():
        try:
            versions.append(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"'{package}{specifier}'")
    if missing:
        raise DataError(f"bundled:faces needs packages that are missing: pip install {' '.join(missing)}")
    return digest(" ".join(versions), face_drawings.recipe())[:8]


def halved(images: Images) -> Images:
    """Return images uint8 `[n, h, w, c]` at half their height and width, by averaging 2x2 pixels."""
    n, height, width, channels = images.shape
    sums = images.reshape(n, height // 2, 2, width // 2, 2, channels).sum((2, 4), dtype=np.uint16)
    return ((sums + 2) // 4).astype(np.uint8)


def draw(count: int) -> Images:
    """Draw the first `count` faces in one process per core: resvg draws one picture at a time in a process.

    Returns:
        uint8 `[count, SIZE, SIZE, 3]`.

    Raises:
        DataError: they cannot be drawn.
    """
    images, step = np.empty([count, SIZE, SIZE, 3], np.uint8), min(_cores(), count)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_drawing_process(first, step, count)) for first in range(step)]
        bar = stack.enter_context(tqdm.tqdm(total=count, desc="drawing", unit=" faces", leave=False, disable=None))
        for i, image in enumerate(images):
            process = processes[i % step]
            assert isinstance(process.stdout, io.BufferedReader)  # a pipe, as standard error is
            assert process.stderr is not None
            if process.stdout.readinto(memoryview(image).cast("B")) < image.nbytes:
                raise DataError(f"bundled:faces cannot be drawn: {_last_line(process.stderr)}.")
            bar.update()
    return images


@contextlib.contextmanager
def _drawing_process(first: int, step: int, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `face_drawings.py` as a program; it ends with the context."""
    program = pathlib.Path(face_drawings.__file__)
    # -P keeps the folder of the program, whose modules have common names, out of the path of imports.
    command = [sys.executable, "-P", str(program), str(first), str(step), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _last_line(stream: IO[bytes]) -> str:
    lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "its process ended"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
