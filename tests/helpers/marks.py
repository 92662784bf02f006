"""Mark the cases of a test that are slow."""

import pytest


def slow_but(quick, cases):
    """Return the parameters `cases`, of which all but those in `quick` are slow tests."""
    return [case if case in quick else pytest.param(case, marks=pytest.mark.slow) for case in cases]
