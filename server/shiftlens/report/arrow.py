"""Rows of positions as Arrow tables and Parquet files. pyarrow is not among the packages that ShiftLens needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from shiftlens.analysis.position_table import Column, Row, Value
from shiftlens.errors import PackageError

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 20_000
"""Rows of a group of a Parquet file: what is in memory of it while it is written."""


def arrow_table(columns: Sequence[Column], rows: Iterable[Row], about: Mapping[str, str]) -> pa.Table:
    """Rows as one table, `about` as the metadata of its schema. Raises PackageError without pyarrow."""
    schema = _schema(columns, about)
    return _pyarrow().Table.from_batches([_batch(schema, columns, list(rows))], schema)


class ParquetWriter:
    """Writes rows to a new Parquet file, some thousand at a time. Raises PackageError without pyarrow.

    To be closed, without which the file is not whole.
    """

    def __init__(self, path: Path, columns: Sequence[Column], about: Mapping[str, str]) -> None:
        self.columns = tuple(columns)
        self._schema = _schema(columns, about)
        _pyarrow()
        import pyarrow.parquet as parquet

        self._writer = parquet.ParquetWriter(str(path), self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, a value for each column. Raises OSError as the file does."""
        for row in rows:
            self._waiting.append(row)
            if len(self._waiting) == _ROWS_AT_ONCE:
                self._flush()

    def close(self) -> None:
        """Write what waits and the file's own end."""
        try:
            if self._waiting:
                self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        self._writer.write_batch(_batch(self._schema, self.columns, self._waiting))
        self._waiting = []


def need_pyarrow() -> None:
    """Raises PackageError where pyarrow is not installed, so that it is told before the work."""
    _pyarrow()


def _pyarrow() -> ModuleType:
    # Imported where it is asked for: it is an extra, and takes half a second.
    try:
        import pyarrow
    except ImportError:
        raise PackageError(
            "Arrow tables and Parquet files are made with pyarrow, which is not installed.",
            'Install it with: pip install "shiftlens[corpora]"',
        ) from None
    found: ModuleType = pyarrow
    return found


def _schema(columns: Sequence[Column], about: Mapping[str, str]) -> pa.Schema:
    pa = _pyarrow()
    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
    fields = [pa.field(column.name, types[column.type]) for column in columns]
    return pa.schema(fields, metadata={key: _text(value) for key, value in about.items()})


def _batch(schema: pa.Schema, columns: Sequence[Column], rows: Sequence[Row]) -> pa.RecordBatch:
    pa = _pyarrow()
    taken = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    values = [[_value(value) for value in column] for column in taken]
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _value(value: Value) -> Value:
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Text without lone surrogates, which no UTF-8 has: they stand as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
