"""Old public names: they keep working for one release and warn once each."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

_warned: set[str] = set()


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn, once per process, that the public name `old` is now `new`.

    Args:
        old: old name, as the user wrote it.
        new: new name.
        stacklevel: the argument of `warnings.warn`; the default names the caller of the function that calls this one.
    """
    if old not in _warned:
        _warned.add(old)
        message = f"{old} is now {new}; the old name will be removed in the next release."
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)


def renamed_attributes(module: str, names: Mapping[str, tuple[str, Any]]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that serves old names.

    Args:
        module: name of the module, for the message.
        names: old name -> (new name, object).
    """

    def get_attribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new, value = names[name]
        warn_renamed(f"{module}.{name}", f"{module}.{new}")
        return value

    return get_attribute
