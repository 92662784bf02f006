"""The table `metrics.csv` of a run: one row per epoch."""

import csv
import io
import math
import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from glow_tf.errors import RunError
from glow_tf.folders import move_aside
from glow_tf.io import describe_error, write_text

Row: TypeAlias = dict[str, float | None]
"""A row of the table: column name -> number, or None for an empty cell."""


class _DamagedError(RunError):
    """Report a table that was not written whole."""


class MetricsTable:
    """The table `metrics.csv`: one row per epoch, a dictionary of column name -> number or None.

    Training goes on without it: a damaged file is put aside under another name, with a warning, and begun anew.

    Args:
        path: path of the file, which need not exist.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = MetricsTable(pathlib.Path(folder, "metrics.csv"))
        ...     table.append({"epoch": 1, "step": 22, "bits_x": 2.5})
        ...     table.rows()
        [{'epoch': 1.0, 'step': 22.0, 'bits_x': 2.5}]
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def rows(self) -> list[Row]:
        """Return all rows, with floats, or None for empty cells.

        Raises:
            RunError: the file is damaged, or cannot be read now.
        """
        try:
            return _read(self.path.read_text("utf-8-sig"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            if os.path.isdir(self.path):
                raise _DamagedError(f"{self.path} is damaged (it is a folder).") from error
            # The disk or the network failed: the table may be whole.
            raise RunError(
                f"cannot read {self.path}: {describe_error(error)}. Run the same command again when it can be read."
            ) from error
        except (ValueError, csv.Error) as error:
            raise _DamagedError(f"{self.path} is damaged ({error}).") from error

    def begin(self) -> None:
        """Write a table without rows, for a run whose first epochs had no table."""
        self._write([])

    def append(self, row: Mapping[str, float | None]) -> None:
        """Add a row; it may have new columns."""
        self._write([*self._rows_or_put_aside(), row])

    def cut_back(self, step: int) -> None:
        """Drop the rows after a step, which training will write again."""
        rows = self._rows_or_put_aside()
        kept = [row for row in rows if _number(row, "step") <= step]
        if len(kept) < len(rows):
            self._write(kept)

    def put_aside_if_damaged(self) -> None:
        """Give a damaged file another name, with a warning."""
        self._rows_or_put_aside()

    def warn_of_missing_rows(self, epochs: int) -> None:
        """Warn of epochs that have no row, from the first row of the table on; without a file, of all.

        Args:
            epochs: the number of epochs that were completed.
        """
        present = {int(_number(row, "epoch")) for row in self._rows_or_put_aside()}
        # The table of an imported run begins with the epochs that were trained here.
        first = min(present, default=epochs + 1 if self.path.exists() else 1)
        missing = sorted(set(range(first, epochs + 1)) - present)
        if missing:
            numbers = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            warnings.warn(f"{self.path} has no row of epoch {numbers}; training goes on without.", stacklevel=2)

    def _rows_or_put_aside(self) -> list[Row]:
        try:
            return self.rows()
        except _DamagedError as error:
            aside = move_aside(self.path)
            warnings.warn(f"{error} It is now {aside.name}, and a new table begins.", stacklevel=3)
            return []

    def _write(self, rows: Sequence[Mapping[str, float | None]]) -> None:
        columns = list(dict.fromkeys(["epoch", "step", *(name for row in rows for name in row)]))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _format_cell(value) for name, value in row.items()})
        write_text(self.path, text.getvalue())


def validation_loss(row: Mapping[str, Any], suffix: str = "", weight_y: float = 0.0) -> float:
    """Return the validation loss of an epoch; infinity where it was not validated, or where a mean is not finite.

    Args:
        row: a row of the table, or the logs of the epoch.
        suffix: `run_files.EMA_SUFFIX` for the EMA weights, "" for the raw ones.
        weight_y: see `ModelConfig`.
    """
    terms = [row.get(f"val_bits_x{suffix}"), row.get(f"val_bits_y{suffix}") if weight_y else 0.0]
    if any(term is None or not math.isfinite(term) for term in terms):
        return math.inf
    return terms[0] + weight_y * terms[1]


def _read(text: str) -> list[Row]:
    """Return the rows of the table in a text; raise a `ValueError` if it is not one that was written whole."""
    if not text.endswith("\n"):
        raise ValueError("it ends within a line")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not {"epoch", "step"} <= set(reader.fieldnames or ()):
        raise ValueError("it has no columns epoch and step")
    return [_read_row(row, reader.line_num) for row in reader]


def _read_row(row: Mapping[Any, Any], line: int) -> Row:
    if None in row or None in row.values():
        raise ValueError(f"line {line} has another number of cells than the header")
    values = {name: float(cell) if cell else None for name, cell in row.items()}
    for name in ("epoch", "step"):
        value = values[name]
        if value is None or not value.is_integer():
            raise ValueError(f"line {line} has no {name}")
    return values


def _number(row: Row, name: str) -> float:
    """Return the epoch or the step of a row, which `_read_row` has checked."""
    value = row[name]
    assert value is not None
    return value


def _format_cell(value: float | None) -> str | int:
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"
