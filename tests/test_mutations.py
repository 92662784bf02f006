"""Test that the mutations of `mutations.py` still fit the code; running that script applies them."""

import pytest

from mutations import MUTATIONS, ROOT, find_problem


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutation_fits_the_code(mutation):
    assert find_problem(mutation, ROOT) == ""
