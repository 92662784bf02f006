"""Old public names: they keep working for one release and warn once each."""

import warnings

_warned = set()


def warn_renamed(old, new, stacklevel=3):
    """Warn, once per process, that the public name `old` is now `new`.

    Args:
        old: old name, as the user wrote it.
        new: new name.
        stacklevel: of `warnings.warn`; the default names the caller of the function that calls this one.
    """
    if old not in _warned:
        _warned.add(old)
        message = f"{old} is now {new}; the old name will be removed in the next release."
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)


def renamed_attributes(module, names):
    """Return a module's `__getattr__` that serves old names.

    Args:
        module: name of the module, for the message.
        names: dictionary of old name -> (new name, object).
    """

    def __getattr__(name):
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new, value = names[name]
        warn_renamed(f"{module}.{name}", f"{module}.{new}")
        return value

    return __getattr__
