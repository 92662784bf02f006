"""Test animations as GIF, and as MP4 with the extra `video`."""

import numpy as np
import pytest
from PIL import Image

from glow_tf import animation
from glow_tf.errors import ConfigError

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 50, 61, 1), np.uint8)


def test_gif_frames_size_and_duration(tmp_path):
    animation.save_animation(tmp_path / "new" / "a.gif", FRAMES, seconds=1.0)
    image = Image.open(tmp_path / "new" / "a.gif")
    assert image.n_frames == 5 and image.size == (61, 50) and image.info["duration"] == 200
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.gif"], "nothing else is left"


def test_mp4_of_odd_sized_frames(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra video is not installed")
    animation.save_animation(tmp_path / "a.mp4", FRAMES, seconds=0.5)
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4")) == (5, pytest.approx(0.5))
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    assert next(reader)["size"] == (62, 50)
    frame = np.frombuffer(next(reader), np.uint8).reshape(50, 62, 3)
    assert np.corrcoef(frame[:, :61, 0].ravel(), FRAMES[0, ..., 0].ravel())[0, 1] > 0.9
    reader.close()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"], "nothing else is left"


def test_animation_format_without_the_video_extra(monkeypatch):
    monkeypatch.setattr(animation, "video_available", lambda: False)
    assert animation.ending() == animation.ending("gif") == ".gif"
    with pytest.raises(ConfigError, match="needs the package imageio-ffmpeg"):
        animation.ending("mp4")
    monkeypatch.setattr(animation, "video_available", lambda: True)
    assert animation.ending() == ".mp4" and animation.ending("gif") == ".gif"
