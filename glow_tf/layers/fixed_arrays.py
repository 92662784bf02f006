"""Check the arrays that permutation layers keep fixed; a damaged one that is finite would give wrong numbers."""

import numpy as np


def fixed_array_problem(name: str, value: np.ndarray) -> str:
    """Return a sentence that says what is wrong with a fixed array, without its period, or "" if nothing is.

    Args:
        name: name of the array, whose last part says what it holds: `indices` of a shuffle, or `P` or `sign_S` of the
            LU form of a 1x1 convolution. An array of any other name is not checked.
        value: the array.

    Example:
        >>> fixed_array_problem("step/permutation/sign_S", np.array([1.0, -0.5]))
        'step/permutation/sign_S holds other values than 1 and -1'
    """
    part = name.rsplit("/", 1)[-1]
    if part == "indices" and not np.array_equal(np.sort(value), np.arange(len(value))):
        return f"{name} is not a permutation of the channels"
    if part == "P" and not _is_permutation_matrix(value):
        return f"{name} is not a permutation matrix"
    if part == "sign_S" and not np.all(np.abs(value) == 1):
        return f"{name} holds other values than 1 and -1"
    return ""


def _is_permutation_matrix(value: np.ndarray) -> bool:
    return bool(np.all((value == 0) | (value == 1)) and all(np.all(value.sum(axis) == 1) for axis in (0, 1)))
