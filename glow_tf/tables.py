"""Tables as text."""


def format_table(rows, indent=""):
    """Return rows of values as lines of text, in left-aligned columns two blanks apart.

    Example:
        >>> print(format_table([("level", "steps"), (0, 32)]))
        level  steps
        0      32
    """
    rows = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join((indent + line).rstrip() for line in lines)
