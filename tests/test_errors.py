"""Test what every command does before and after its work."""

import pytest
import tensorflow as tf

from glow_tf.config import RunOptions
from glow_tf.errors import GlowError, run_command
from glow_tf.training import session


def test_user_error_is_one_line_and_exit_code_2(capsys):
    def main(arguments):
        raise GlowError(f"expected bread, got {arguments[0]}.")

    with pytest.raises(SystemExit) as end:
        run_command(main, "bake.py", ["stones"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "bake.py: expected bread, got stones.\n"


@pytest.fixture
def tf32():
    """Set TF32 on, TensorFlow's default; give the function that reads it."""
    tf.config.experimental.enable_tensor_float_32_execution(True)
    return tf.config.experimental.tensor_float_32_execution_enabled


def test_tf32_is_off_in_every_command(tf32):
    seen = []
    with pytest.raises(SystemExit):
        run_command(lambda arguments: seen.append(tf32()), "any", [])
    assert seen == [False]


@pytest.mark.parametrize("enabled", [False, True])
def test_training_sets_tf32_by_its_option(tf32, enabled):
    session.set_up(RunOptions(tf32=enabled, devices="cpu"))
    assert tf32() is enabled
