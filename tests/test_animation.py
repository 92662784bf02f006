"""Test animations as GIF, and as MP4 with the extra `video`."""

import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from glow_tf import animation, pictures
from glow_tf.errors import ConfigError, MissingPackageError, RunError

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 256, 261, 1), np.uint8)


def test_gif_frames_size_and_duration(tmp_path):
    animation.save_animation(tmp_path / "new" / "a.gif", FRAMES, seconds=1.0)
    image = Image.open(tmp_path / "new" / "a.gif")
    assert image.n_frames == 5 and image.size == (261, 256) and image.info["duration"] == 200
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.gif"], "nothing else is left"
    with pytest.raises(ConfigError, match=r"a\.webp: expected a name that ends in \.gif or \.mp4"):
        animation.save_animation(tmp_path / "a.webp", FRAMES)


def test_mp4_of_odd_sized_frames(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra video is not installed")
    animation.save_animation(tmp_path / "a.mp4", FRAMES, seconds=0.5)
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4")) == (5, pytest.approx(0.5))
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    assert next(reader)["size"] == (262, 256)
    frame = np.frombuffer(next(reader), np.uint8).reshape(256, 262, 3)
    assert np.corrcoef(frame[:, :261, 0].ravel(), FRAMES[0, ..., 0].ravel())[0, 1] > 0.9
    reader.close()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"], "nothing else is left"


def test_mp4_that_ffmpeg_did_not_finish_is_refused(tmp_path, monkeypatch):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra video is not installed")

    def write_half(path, *_, **__):
        pathlib.Path(path).write_bytes(b"half")
        while True:
            yield

    monkeypatch.setattr(imageio_ffmpeg, "write_frames", write_half)
    with pytest.raises(RunError, match=r"cannot write .*a\.mp4: ffmpeg left a file that cannot be played"):
        animation.save_animation(tmp_path / "a.mp4", FRAMES)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingPackageError, match="needs the package imageio-ffmpeg"):
        animation.save_animation(tmp_path / "a.mp4", FRAMES)
    assert not list(tmp_path.iterdir())


def test_small_frames_are_enlarged_and_labeled(tmp_path):
    small = FRAMES[:, :8, :8]
    animation.save_animation(tmp_path / "a.gif", small, seconds=1.0)
    assert Image.open(tmp_path / "a.gif").size == (256, 256)
    first, second = (pictures.frame(small, 256, "Attribute: smiling", f"strength {s}") for s in ("+0.50", "-1.00"))
    assert first.shape == second.shape and first.shape[1] == 5 * (256 + 4) - 4 + 2 * 10
    changed = (first != second).any(axis=(1, 2))
    assert changed.any() and not changed[-256 - 10 :].any(), "the caption alone"
    np.testing.assert_array_equal(first[-266:-10, 10:266, 0], small[0, ..., 0].repeat(32, 0).repeat(32, 1))


def test_animation_format_without_the_video_extra(monkeypatch):
    monkeypatch.setattr(animation, "video_available", lambda: False)
    assert animation.ending() == animation.ending("gif") == ".gif"
    with pytest.raises(ConfigError, match="needs the package imageio-ffmpeg"):
        animation.ending("mp4")
    monkeypatch.setattr(animation, "video_available", lambda: True)
    assert animation.ending() == ".mp4" and animation.ending("gif") == ".gif"
