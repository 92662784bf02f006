"""Estimate what mixed precision does to the results of coupling networks."""

SIGNIFICANT_BITS = {"bfloat16": 8, "float16": 11}


def rounding_error(dtype, convolutions):
    """Return the relative error to expect after a chain of convolutions computed in `dtype`.

    Each rounds its input, its kernel and its result. A rounding's relative error is about uniform within 2**-bits, and
    so has a standard deviation of 2**-bits / sqrt(3); independent errors add by their squares.
    """
    return (3 * convolutions) ** 0.5 * 2.0 ** -SIGNIFICANT_BITS[dtype] / 3**0.5
