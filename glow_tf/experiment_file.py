"""The file of an experiment: `config.json` of a run folder, and what `train.py --config` reads."""

import hashlib
import json
import os
import pathlib
import warnings
from typing import Any

from glow_tf.config import Experiment
from glow_tf.errors import RunError
from glow_tf.io import write_text

FORMAT = 3
"""Number of the format of run folders, in `config.json`.

2 has the record of the split of the data; 3 has the weights that the run started from, the names of the classes, and a
digest of the file.
"""


def write_experiment(path: str | os.PathLike[str], experiment: Experiment) -> None:
    """Write an experiment as JSON, with the number of the format and a digest.

    Args:
        path: path of the file.
        experiment: the configuration.
    """
    values = {"format": FORMAT, **experiment.to_dict()}
    write_text(path, json.dumps({**values, "digest": _digest(values)}, indent=2) + "\n")


def read_experiment(path: str | os.PathLike[str], default_format: int | None = None) -> Experiment:
    """Read an experiment; warn if the file is not as it was written.

    Args:
        path: path of the file.
        default_format: number of the format of a file that does not say it; None requires it.

    Raises:
        RunError: the file is damaged, or of a later format.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text("utf-8-sig"), object_pairs_hook=_unique_fields)
        if not isinstance(values, dict):
            raise ValueError("expected an object with the fields of an experiment")
        digest = values.pop("digest", None)
        is_changed = digest is not None and digest != _digest(values)
        if default_format is not None:
            values.setdefault("format", default_format)
        file_format = values.pop("format")
        if type(file_format) is not int or file_format < 1:
            raise ValueError(f"format: expected a whole number from 1, got {file_format!r}")
        if file_format > FORMAT:
            raise RunError(f"{path} has format {file_format}, this glow_tf reads up to {FORMAT}; update it.")
        if file_format < 2:
            values["data"]["split_record"] = {"rule": "position"}
        experiment = Experiment.from_dict(values)
    # A ConfigError and the errors of JSON and UTF-8 are ValueErrors.
    except (ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError, OSError) as error:
        raise RunError(f"{path} cannot be read as a configuration: {error}") from error
    if is_changed:
        warnings.warn(f"{path} was edited or damaged after it was written (its digest differs); check it", stacklevel=3)
    return experiment


def _digest(values: dict[str, Any]) -> str:
    """Return the digest of the fields of a configuration, in hexadecimal; spaces and the order do not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of an object of JSON; raise a `ValueError` for one that is there twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return fields
