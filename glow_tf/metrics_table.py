"""The table `metrics.csv` of a run: one row per epoch."""

import csv
import io
import os
import warnings

from glow_tf.errors import RunError
from glow_tf.folders import move_aside
from glow_tf.io import describe_error, write_text


class _DamagedError(RunError):
    """A table that is not one that was written whole."""


class MetricsTable:
    """The table `metrics.csv`: one row per epoch, a dictionary of column name -> number or None.

    Training goes on without it: a damaged file is put aside under another name, with a warning, and begun anew.

    Args:
        path: `pathlib.Path` of the file, which need not exist.
    """

    def __init__(self, path):
        self.path = path

    def rows(self):
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

    def begin(self):
        """Write a table without rows, for a run whose first epochs had no table."""
        self._write([])

    def append(self, row):
        """Add a row; it may have new columns."""
        self._write([*self._rows_or_put_aside(), row])

    def cut_back(self, step):
        """Drop the rows after a step, which training will write again."""
        rows = self._rows_or_put_aside()
        if any(row["step"] > step for row in rows):
            self._write([row for row in rows if row["step"] <= step])

    def put_aside_if_damaged(self):
        """Give a damaged file another name, with a warning."""
        self._rows_or_put_aside()

    def warn_of_missing_rows(self, epochs):
        """Warn of epochs that have no row, from the first row of the table on; without a file, of all.

        Args:
            epochs: int, the number of epochs that were completed.
        """
        present = {int(row["epoch"]) for row in self._rows_or_put_aside()}
        # The table of an imported run begins with the epochs that were trained here.
        first = min(present, default=epochs + 1 if self.path.exists() else 1)
        missing = sorted(set(range(first, epochs + 1)) - present)
        if missing:
            numbers = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            warnings.warn(f"{self.path} has no row of epoch {numbers}; training goes on without.", stacklevel=2)

    def _rows_or_put_aside(self):
        try:
            return self.rows()
        except _DamagedError as error:
            aside = move_aside(self.path)
            warnings.warn(f"{error} It is now {aside.name}, and a new table begins.", stacklevel=3)
            return []

    def _write(self, rows):
        columns = list(dict.fromkeys(["epoch", "step", *(name for row in rows for name in row)]))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _format_cell(value) for name, value in row.items()})
        write_text(self.path, text.getvalue())


def _read(text):
    """Return the rows of the table in a text; raise a `ValueError` if it is not one that was written whole."""
    if not text.endswith("\n"):
        raise ValueError("it ends within a line")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not {"epoch", "step"} <= set(reader.fieldnames):
        raise ValueError("it has no columns epoch and step")
    return [_read_row(row, reader.line_num) for row in reader]


def _read_row(row, line):
    if None in row or None in row.values():
        raise ValueError(f"line {line} has another number of cells than the header")
    values = {name: float(cell) if cell else None for name, cell in row.items()}
    for name in ("epoch", "step"):
        if values[name] is None or not values[name].is_integer():
            raise ValueError(f"line {line} has no {name}")
    return values


def _format_cell(value):
    if value is None:
        return ""
    return int(value) if float(value).is_integer() else f"{value:.6g}"
