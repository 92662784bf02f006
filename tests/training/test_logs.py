"""Test the progress bar, the line of each epoch, and the events for TensorBoard."""

import re
import sys
import time

import pytest
import tensorflow as tf

from glow_tf.config import TrainingConfig
from glow_tf.errors import RunError
from glow_tf.training.logs import ProgressBar, TensorBoard
from helpers.tiny_trainings import trainer

END = {"step": 8, "images": 12800, "bits_x": 3.21, "val_bits_x": 3.5, "val_bits_x_average": 3.75, "skipped": 0}


def test_progress_bar_shows_bits_speed_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = ProgressBar(TrainingConfig(epochs=2, epoch_steps=4, batch_size=1600))
    bar.on_epoch_begin(0)
    for k in range(3):
        time.sleep(0.11)  # tqdm draws at most ten times a second
        bar.on_train_batch_end(k, {"bits_x": 3.21})
    time.sleep(0.11)
    bar.on_train_batch_end(3)
    lines = capsys.readouterr().err.split("\r")
    line = next(line for line in lines if "4.80k/6.40k" in line)
    assert re.search(r"epoch 1/2: +75%.*\[00:00<00:0\d, [\d.]+k images/s, 3.210 bits/dim\]", line)


def test_progress_bar_stays_out_of_log_files(capsys):
    bar = ProgressBar(TrainingConfig(epochs=2, epoch_steps=1, batch_size=1))
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(0, {"bits_x": 3.21})
    bar.on_epoch_end(0, {**END, "images_per_second": 1.0})
    assert capsys.readouterr().err == ""


def test_epoch_line_shows_bits_speed_and_skipped_steps(capsys):
    bar = ProgressBar(TrainingConfig(epochs=None, epoch_steps=4, batch_size=1600))
    for end in ({}, {"skipped": 3, "val_error": 0.25}, {"images": 1, "skipped": 1}):
        bar.on_epoch_begin(1)
        bar.on_epoch_end(1, {**END, "images_per_second": 1234.5, **end})
    healthy, other, single = capsys.readouterr().out.splitlines()
    expected = "epoch 2  step 8  12,800 images  train 3.2100  validation 3.5000 (EMA 3.7500)"
    assert healthy == f"{expected}  1,234 images/s"
    assert other == f"{expected}  error 25.0%  1,234 images/s  3 steps skipped"
    assert "  1 image  " in single and single.endswith("  1 step skipped")


def test_epoch_line_shows_the_good_one_of_two_validations(capsys):
    bar = ProgressBar(TrainingConfig(epochs=None, epoch_steps=4, batch_size=1600))
    bar.on_epoch_begin(1)
    bar.on_epoch_end(1, {**END, "images_per_second": 1.0, "val_bits_x": None})
    assert "  validation - (EMA 3.7500)  " in capsys.readouterr().out


@pytest.mark.slow
def test_tensorboard_events_match_the_metrics(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    one = trainer(tmp_path / "run", sample_every=2)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    one.train()
    events = EventAccumulator(str(one.run.path / "tensorboard"), {"tensors": 0}).Reload()
    tags = {"bits_x", "val_bits_x", "val_bits_x_average", "learning_rate", "grad_norm", "skipped", "images", "samples"}
    assert tags <= set(events.Tags()["tensors"])
    values = {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("val_bits_x")}
    assert values == pytest.approx({int(r["step"]): r["val_bits_x"] for r in one.table.rows()}, rel=1e-5)
    assert [e.step for e in events.Tensors("samples")] == [8]


def test_tensorboard_that_cannot_write_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write .*file/tensorboard: ") as error:
        TensorBoard(tmp_path / "file" / "tensorboard").on_epoch_end(0, {"step": 1, "bits_x": 1.0})
    assert "\n" not in str(error.value)
