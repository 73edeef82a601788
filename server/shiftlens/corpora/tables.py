"""The rows of Parquet files, and of the Arrow files that Hugging Face's `save_to_disk` writes, as JSON.

pyarrow comes with the extra `corpora`. It is imported with the first such file.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftlens.corpora.raw_rows import RawRow
from shiftlens.errors import ShiftLensError, TranscriptError

if TYPE_CHECKING:
    import pyarrow

_ROWS_AT_ONCE = 32


def needs_pyarrow(what: str) -> None:
    """Raise ShiftLensError where pyarrow is not installed, which `what` needs."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ShiftLensError(
            f"{what} needs pyarrow, which is not installed here.", "Install it: pip install 'shiftlens[corpora]'."
        ) from None


def table_rows(path: Path, max_bytes: int, start: int = 0) -> Iterator[RawRow]:
    """The rows of a table from row `start` on, in small batches; row groups of Parquet that end before it are not read.

    Raises TranscriptError; ShiftLensError without pyarrow.
    """
    needs_pyarrow(f"Reading {path.name}")
    from pyarrow import ArrowException

    try:
        yield from _rows(path, max_bytes, start)
    except (ArrowException, OSError) as error:
        why = " ".join(str(error).split())
        raise TranscriptError(f"The table can't be read: {why}.", "Copy it again.") from None


def _rows(path: Path, max_bytes: int, start: int) -> Iterator[RawRow]:
    batches = _parquet(path, start) if path.suffix.lower() == ".parquet" else _arrow(path)
    for number, batch, total in batches:
        for at in range(max(0, start - number), batch.num_rows):
            (value,) = batch.slice(at, 1).to_pylist()
            done = 1.0 if total is None else (number + at + 1) / total
            text = json.dumps(value, default=_plain, ensure_ascii=False)
            if len(text) > max_bytes:
                why = f"The row has more than {max_bytes:,} bytes; --max-bytes raises the limit."
                yield RawRow(number + at, None, "", why, done=done)
            else:
                yield RawRow(number + at, None, text, done=done)


def _parquet(path: Path, start: int) -> Iterator[tuple[int, pyarrow.RecordBatch, int | None]]:
    """Batches with the number of their first row, and how many rows there are, from the row group of row `start` on."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        at, total = 0, file.metadata.num_rows
        for group in range(file.num_row_groups):
            past = at + file.metadata.row_group(group).num_rows
            if past > start:
                for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
                    yield at, batch, total
                    at += batch.num_rows
            at = past


def _arrow(path: Path) -> Iterator[tuple[int, pyarrow.RecordBatch, int | None]]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        batches = (reader.get_batch(at) for at in range(reader.num_record_batches)) if is_file else reader
        start = 0
        for batch in batches:
            for at in range(0, batch.num_rows, _ROWS_AT_ONCE):
                part = batch.slice(at, _ROWS_AT_ONCE)
                yield start + at, part, None
            start += batch.num_rows


def _plain(value: Any) -> object:
    """What JSON has not: bytes as base64, times as ISO 8601."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else str(value)
