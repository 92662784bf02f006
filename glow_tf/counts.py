"""Numbers with their nouns, for messages."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun, in the singular or the plural.

    Args:
        count: the number.
        noun: the noun in the singular.
        plural: the noun in the plural; None appends an s.

    Example:
        >>> counted(1, "image"), counted(2000, "image"), counted(0, "class", "classes")
        ('1 image', '2,000 images', '0 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
