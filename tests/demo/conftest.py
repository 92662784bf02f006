"""Provide what the demo tests share."""

import pytest

from glow_tf.demo.studio import open_studio


@pytest.fixture(scope="module")
def studio(tiny_run):
    """Open the unconditional run."""
    return open_studio(tiny_run)
