"""Names of the files of results: other options give other names, so that no call replaces what another wrote."""

import inspect
import re
import zlib
from collections.abc import Callable, Sequence

from glow_tf.config import SOURCE_KINDS
from glow_tf.data.image_files import ENDINGS

MAX_LENGTH = 100
"""Characters of a part of a file's name; of a longer text the end is kept."""

PLAIN_TEXT = re.compile(rf"(({'|'.join(SOURCE_KINDS)}):)?[A-Za-z0-9+-]([A-Za-z0-9_.+-]*[A-Za-z0-9+-])?")
"""Texts that stay as they are, but for the colon of a data source."""

PLAIN_WORD = re.compile(r"[A-Za-z0-9+-]+")
"""Texts that are told apart again once they are joined by "_"."""

ARRAY_ENDINGS = (".npz", ".npy")
"""Endings of files that stay readable in the name of another one: only their dot is replaced."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*\.[A-Za-z0-9]+")
"""Names of images that stay readable in the name of a file: only their dot is replaced."""


def file_word(text: str, *, checksum: bool = False) -> str:
    """Return a text as a part of a file's name.

    Args:
        text: the text.
        checksum: append a checksum of the text, as is done to one that loses characters, is long or is a path.

    Example:
        >>> file_word("bundled:digits")
        'bundled_digits'
        >>> file_word("folder:my/cats"), file_word("folder:my_cats")
        ('folder_my_cats_dbe0b1a5', 'folder_my_cats')
    """
    return _joined([text], checksum=checksum or not PLAIN_TEXT.fullmatch(text))


def file_words(texts: Sequence[str], *, checksum: bool = False) -> str:
    """Return several texts as a part of a file's name.

    Args:
        texts: the texts.
        checksum: append a checksum of the texts, as is done where the words do not tell them apart.

    Example:
        >>> file_words(["with", "without"])
        'with_without'
        >>> file_words(["a b", "c"]), file_words(["a", "b c"])
        ('a_b_c_5daa2972', 'a_b_c_681ca2ee')
    """
    return _joined(texts, checksum=checksum or not all(map(PLAIN_WORD.fullmatch, texts)))


def _joined(texts: Sequence[str], checksum: bool) -> str:
    word = re.sub(r"[^\w.+-]+", "_", "_".join(texts), flags=re.ASCII).strip("._")
    if len(word) <= MAX_LENGTH and not checksum:
        return word
    digits = zlib.crc32("\0".join(texts).encode(errors="surrogateescape"))
    return f"{word[-MAX_LENGTH:]}_{digits:08x}".lstrip("._")


def number_word(number: float) -> str:
    """Return a number as a part of a file's name, such as "0.7"; other numbers have other words."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def file_suffix(command: Callable[..., object], **options: object) -> str:
    """Return the end of a file's name that tells the options of a command which are not at their defaults.

    Args:
        command: function of the command.
        **options: those of its options on which the contents of the file depend, with their values.

    Example:
        >>> def draw(columns=10, temperatures=(0.0, 0.7), split="test"): ...
        >>> file_suffix(draw, columns=10, temperatures=(0.5, 1.0), split="train")
        '_temperatures_0.5_1_train'
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    return "".join(f"_{_word(name, value)}" for name, value in options.items() if value != defaults[name])


def shortened(suffix: str) -> str:
    """Return the end of a file's name, of which a long one is cut and gets a checksum of the whole.

    A file system takes names of at most 255 bytes, and two such ends must fit.
    """
    if len(suffix) <= MAX_LENGTH:
        return suffix
    return f"{suffix[:MAX_LENGTH]}_{zlib.crc32(suffix.encode()):08x}"


def _word(name: str, value: object) -> str:
    """Return a value with the name of its option; a single text without, as it tells enough; a switch as on or off."""
    if isinstance(value, bool):
        return name if value else f"no_{name}"
    if isinstance(value, str):
        return _text_word(value)
    values = value if isinstance(value, tuple) else (value,)
    numbers = [number_word(item) for item in values if isinstance(item, int | float)]
    if len(numbers) == len(values):
        return file_word("_".join([name, *numbers]))
    return f"{name}_{file_words([str(item) for item in values]).replace('.', '_')}"


def _text_word(text: str) -> str:
    """Return a text without dots: the ending of a path would look like that of the file.

    `a.npz` becomes "a_npz"; every other text that would become such a word, or has dots, gets a checksum.
    """
    is_plain = "." not in text if not text.endswith(ARRAY_ENDINGS) else text.count(".") == 1
    looks_like_file = text.endswith(tuple(ending.replace(".", "_") for ending in ARRAY_ENDINGS))
    return file_word(text, checksum=looks_like_file or not is_plain).replace(".", "_")


def own_files_suffix(paths: Sequence[str], label: int | None) -> str:
    """Return the end of the names of files about a user's own images, such as "_own_cat_png".

    Args:
        paths: paths of the images.
        label: their class, or None if none is given.
    """
    word = _joined(paths, checksum=not all(map(_is_plain, paths))).replace(".", "_")
    return f"_own_{word}" + ("" if label is None else f"_label_{label}")


def _is_plain(path: str) -> bool:
    """Return whether a path is the plain name of an image, in which nothing else looks like an ending.

    `a_png_b.png` is not: it would give the same word as `a.png b.png`.
    """
    *parts, ending = (f".{part}" for part in re.split("[_.]", path.lower()))
    return bool(PLAIN_NAME.fullmatch(path)) and ending in ENDINGS and not set(parts) & set(ENDINGS)
