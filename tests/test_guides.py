"""Test that the guides' Python runs."""

import pytest

from helpers import guides


@pytest.mark.parametrize("name", sorted(path.name for path in guides.GUIDES.glob("*.md")))
def test_python_of_every_guide_runs(name):
    guides.run_blocks(name)


def test_printed_layer_in_the_guide_is_what_print_gives():
    layer = guides.run_blocks("write_a_layer.md")["layer"]
    text = (guides.GUIDES / "write_a_layer.md").read_text()
    assert f"print(layer)  # {layer!r}" in text
