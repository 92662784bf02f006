"""Animations: an endless GIF, or an MP4 where the optional package imageio-ffmpeg is installed (extra `video`)."""

import contextlib
import importlib.util
import pathlib
from typing import Literal

import numpy as np
from PIL import Image

from glow_tf.errors import ConfigError
from glow_tf.extras import install_command, optional_packages
from glow_tf.io import write_atomically
from glow_tf.pictures import enlarged, rgb
from glow_tf.pictures.page import format_of
from glow_tf.types import Images

MIN_SIDE = 256
"""Smaller frames are enlarged by a whole factor to at least this many pixels a side."""
MIN_FRAME_MILLISECONDS = 20
"""Browsers slow down a GIF whose frames are shorter."""


def video_available() -> bool:
    """Return whether MP4s can be written."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def ending(kind: Literal["gif", "mp4"] | None = None) -> str:
    """Return the ending of an animation's file name, `".gif"` or `".mp4"`.

    Args:
        kind: the format; None chooses the MP4 where it can be written.

    Raises:
        ConfigError: an MP4 is requested and cannot be written.

    Example:
        >>> ending("gif")
        '.gif'
    """
    if kind == "mp4" and not video_available():
        raise ConfigError(f"an MP4 needs the package imageio-ffmpeg: {install_command('video')}, or ask for a gif.")
    return f".{kind or ('mp4' if video_available() else 'gif')}"


def save_animation(path: pathlib.Path | str, frames: Images, seconds: float = 4.0) -> None:
    """Write frames as an animation; small ones are enlarged (see `MIN_SIDE`).

    Args:
        path: file to write; its ending, `.gif` or `.mp4`, decides the format.
        frames: uint8 `[n, H, W, C]`.
        seconds: duration.

    Raises:
        ConfigError: the path has another ending.
        MissingPackageError: an MP4 needs a package that is not installed.
        RunError: the file cannot be written.
    """
    writers = {"gif": _write_gif, "mp4": _write_mp4}
    write, frames = writers[format_of(path, writers)], np.stack([rgb(f) for f in enlarged(frames, MIN_SIDE)])
    write_atomically(path, lambda temporary: write(temporary, frames, seconds))


def _write_gif(path: pathlib.Path, frames: Images, seconds: float) -> None:
    pages = [Image.fromarray(f) for f in frames]
    duration = max(MIN_FRAME_MILLISECONDS, round(1000 * seconds / len(pages)))
    pages[0].save(path, format="GIF", save_all=True, append_images=pages[1:], duration=duration, loop=0)


def _write_mp4(path: pathlib.Path, frames: Images, seconds: float) -> None:
    with optional_packages():
        import imageio_ffmpeg

    # H.264 in the color space that every player knows halves the colors' resolution, so sides must be even.
    n, height, width, _ = frames.shape
    frames = np.pad(frames, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)], mode="edge")
    writer = imageio_ffmpeg.write_frames(
        str(path), frames.shape[2:0:-1], fps=n / seconds, quality=8, macro_block_size=2, ffmpeg_log_level="error"
    )
    with contextlib.closing(writer):
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    try:
        imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError:  # The writer does not tell that ffmpeg failed, on a full disk for example.
        raise OSError("ffmpeg left a file that cannot be played") from None
