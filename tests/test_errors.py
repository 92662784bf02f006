"""What every command does before and after its work."""

import pytest
import tensorflow as tf

from glow_tf.config import RunOptions
from glow_tf.errors import GlowError, run_command
from glow_tf.training import session


def test_an_error_for_the_user_is_one_sentence_and_exit_2(capsys):
    def main(arguments):
        raise GlowError(f"expected bread, got {arguments[0]}.")

    with pytest.raises(SystemExit) as end:
        run_command(main, "bake.py", ["stones"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "bake.py: expected bread, got stones.\n"


@pytest.fixture
def tf32():
    """TF32 on, TensorFlow's default; a function that says what it is now."""
    tf.config.experimental.enable_tensor_float_32_execution(True)
    return tf.config.experimental.tensor_float_32_execution_enabled


def test_tf32_is_off_in_every_command(tf32):
    seen = []
    with pytest.raises(SystemExit):
        run_command(lambda arguments: seen.append(tf32()), "any", [])
    assert seen == [False]


@pytest.mark.parametrize("wanted", [False, True])
def test_training_has_tf32_as_its_option_says(tf32, wanted):
    session.set_up(RunOptions(tf32=wanted, devices="cpu"))
    assert tf32() is wanted
