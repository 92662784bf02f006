"""The errors that are meant for the user. Each message says what was expected, what came, what to do."""

import contextlib
import re
from collections.abc import Iterable, Iterator


class GlowError(Exception):
    """Base class of all errors that a command reports as one line, without a traceback."""

    def __str__(self) -> str:
        # A file name that is not UTF-8 holds surrogates, with which TensorFlow and most streams lose the whole text.
        return super().__str__().encode(errors="backslashreplace").decode()


class ConfigError(GlowError, ValueError):
    """Report an option, or a combination of options, that cannot work."""


class DataError(GlowError, ValueError):
    """Report images, labels, latents or other input data that cannot be used."""


class RunError(GlowError):
    """Report a run folder, a checkpoint or another file of ours that cannot be read, written or used."""


class BackendError(GlowError, ImportError):
    """Report another backend of Keras than TensorFlow."""


class MissingPackageError(GlowError, ImportError):
    """Report an optional package that is not installed."""


class ConversionError(GlowError):
    """Report a foreign checkpoint that cannot be converted."""


@contextlib.contextmanager
def data_errors() -> Iterator[None]:
    """Raise a `DataError` that comes out of tf.data as a `DataError`.

    TensorFlow gives it as text in an error of its own.

    Example:
        >>> with data_errors():
        ...     raise RuntimeError("INVALID_ARGUMENT: DataError: a.png is damaged.")
        Traceback (most recent call last):
        glow_tf.errors.DataError: a.png is damaged.
    """
    try:
        yield
    except GlowError:
        raise
    except Exception as error:
        match = re.search(r"DataError: (.*)", str(error))
        if match is None:
            raise
        raise DataError(match[1].strip()) from None  # the pages of TensorFlow's own text would hide the sentence


@contextlib.contextmanager
def errors_named(source_name: str) -> Iterator[None]:
    """Raise the `OSError` of a folder or a file that cannot be listed or examined as a `DataError`.

    Args:
        source_name: name of the source of images, for the message.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{source_name}: {error.filename} cannot be read: {error.strerror}.") from error


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """Return " Did you mean CHOICE?" for the choice that is most like a word, or "" if none is.

    Args:
        word: the value that is not one of the choices.
        choices: the words that are accepted.

    Example:
        >>> did_you_mean("adamx", ["adam", "adamax"])
        ' Did you mean adamax?'
    """
    import difflib  # here, because a command imports this module before anything else

    matches = difflib.get_close_matches(str(word).lower(), list(choices), n=1)
    return f" Did you mean {matches[0]}?" if matches else ""
