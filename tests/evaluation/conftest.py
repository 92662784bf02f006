"""Provide what the tests of the evaluation share."""

import pytest
import tensorflow as tf


@pytest.fixture
def without_graphs():
    """Run functions eagerly: a command traces them anew, which takes longer than a small model."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
