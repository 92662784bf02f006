"""Tables as text."""

from collections.abc import Iterable


def format_table(rows: Iterable[Iterable[object]], indent: str = "") -> str:
    """Return rows of values as lines of text, in left-aligned columns two blanks apart.

    Args:
        rows: rows of equal length, the header first.
        indent: blanks before each line.

    Example:
        >>> print(format_table([("level", "steps"), (0, 32)]))
        level  steps
        0      32
    """
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in texts]
    return "\n".join((indent + line).rstrip() for line in lines)
