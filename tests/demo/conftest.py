"""Provide what the demo tests share."""

import pytest

from glow_tf.demo.session import open_session


@pytest.fixture(scope="session")
def session(tiny_run):
    """Open the unconditional run."""
    return open_session(tiny_run)
