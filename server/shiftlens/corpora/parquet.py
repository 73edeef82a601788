"""Rows of a corpus as Parquet, in row groups that fit in little memory. pyarrow is imported with the first one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shiftlens.corpora.record import SCHEMA, CorpusRow
from shiftlens.corpora.tables import needs_pyarrow
from shiftlens.errors import ShiftLensError

if TYPE_CHECKING:
    import pyarrow

_POSITIONS_OF_GROUP = 50_000
_ROWS_OF_GROUP = 1000
_ROWS_AT_ONCE = 16


def schema() -> pyarrow.Schema:
    """The fields of `CorpusRow`, in their order. What is float32 in the scores is so here."""
    import pyarrow as pa

    text, whole, flag, real = pa.string(), pa.int32(), pa.bool_(), pa.float32()
    counts: tuple[str, ...] = ("tokens", "unshifted", "marginal", "shifted", "unknown", "flagged")
    counts += ("flagged_unshifted", "flagged_marginal", "flagged_shifted", "realigned")
    columns: dict[str, pyarrow.DataType] = {"id": whole}
    columns |= dict.fromkeys(("text", "class", "kind", "part"), text)
    columns |= dict.fromkeys(("special", "boundary", "realigned", "off_greedy", "loss_mask"), flag)
    ranks = ("base_rank", "base_rank_above", "aligned_rank", "aligned_rank_above", "base_rank_of_aligned_top")
    columns |= dict.fromkeys(ranks, whole)
    numbers = ("base_logprob", "aligned_logprob", "base_entropy", "aligned_entropy", "kl", "js_at_least")
    columns |= dict.fromkeys(numbers, real)
    return pa.schema(
        [
            ("schema", text),
            ("file", text),
            ("row", pa.int64()),
            ("line", pa.int64()),
            ("response", whole),
            ("id", text),
            ("format", text),
            ("conversation", whole),
            ("turn", whole),
            *((name, text) for name in ("label", "trained", "content", "base", "base_fingerprint")),
            *((name, text) for name in ("aligned", "aligned_fingerprint", "status", "why", "prompt", "text")),
            ("notes", pa.list_(text)),
            ("has_end", flag),
            ("summary", pa.struct([(name, whole) for name in counts])),
            ("shares", pa.struct([(name, pa.float64()) for name in ("unshifted", "marginal", "shifted")])),
            ("tokens", pa.struct([(name, pa.list_(kind)) for name, kind in columns.items()])),
            ("split", pa.list_(pa.struct([("position", whole), ("bytes", text)]))),
            ("classes_by", text),
        ],
        metadata={"schema": SCHEMA},
    )


def write_parquet(path: Path, rows: Iterable[CorpusRow]) -> None:
    """Write rows, a row group at a time. Raises ShiftLensError without pyarrow, and OSError."""
    needs_pyarrow(f"Writing {path.name}")
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    # The default one keeps what it had.
    pa.set_memory_pool(pa.system_memory_pool())
    fields = schema()
    with ParquetWriter(path, fields, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        some: list[Any] = []
        positions = count = 0
        for row in rows:
            some.append(msgspec.to_builtins(row))
            positions += len(row.tokens.id)
            count += 1
            if len(some) == _ROWS_AT_ONCE:
                group.append(pa.RecordBatch.from_pylist(some, schema=fields))
                some = []
            if positions >= _POSITIONS_OF_GROUP or count == _ROWS_OF_GROUP:
                group.append(pa.RecordBatch.from_pylist(some, schema=fields))
                writer.write_table(pa.Table.from_batches(group, fields).combine_chunks())
                group, some, positions, count = [], [], 0, 0
        if count:
            group.append(pa.RecordBatch.from_pylist(some, schema=fields))
            writer.write_table(pa.Table.from_batches(group, fields).combine_chunks())


def read_parquet(path: Path) -> Iterator[CorpusRow]:
    """The rows of a file that `write_parquet` wrote. Raises ShiftLensError."""
    needs_pyarrow(f"Reading {path.name}")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
                for value in batch.to_pylist():
                    yield msgspec.convert(value, CorpusRow)
    except (ArrowException, OSError, msgspec.ValidationError) as error:
        raise ShiftLensError(
            f"{path} is no output of `shiftlens corpus`: {' '.join(str(error).split())}.",
            "Name a file that this command has written.",
        ) from None
