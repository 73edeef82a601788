"""Reading an Arrow IPC file of a known schema, by anybody: whatever is wrong with it is an ArrowError.

No size that a file states is believed: what a buffer may hold follows from the number of rows, which the caller bounds,
and from `most_bytes`, which bounds all that is unpacked of one batch.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flatbuffers import number_types
from flatbuffers.table import Table

from shiftlens.scores.arrow.encoding import (
    BLOCK_BYTES,
    CONTINUATION,
    FLOAT_TYPE,
    INT_TYPE,
    LIST_TYPE,
    MAGIC,
    NOT_COMPRESSED,
    PAIR_BYTES,
    RECORD_BATCH_HEADER,
    TYPES,
    ZSTD,
)
from shiftlens.scores.arrow.table import Column, Field
from shiftlens.scores.columns import int32

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MOST_METADATA = 16
_LONGEST_NAME = 256


class ArrowError(Exception):
    """What is wrong with a file, to follow "the file"."""


@dataclass(frozen=True, slots=True)
class ArrowFile:
    """An opened file, whose batches are read one at a time. `batches` are where they stand: offset, head, body."""

    data: bytes
    fields: tuple[Field, ...]
    metadata: dict[str, str]
    batches: tuple[tuple[int, int, int], ...]

    def head(self, at: int, most_rows: int) -> BatchHead:
        """The number of rows and the metadata of a batch. Raises ArrowError."""
        with _told():
            return self._head(at, most_rows)

    def columns(self, head: BatchHead, most_bytes: int) -> list[Column]:
        """The columns of a batch, in the order of the fields. Raises ArrowError."""
        with _told():
            reader = _Buffers(head, most_bytes)
            found = [reader.column(field, head.rows) for field in self.fields]
            reader.finish()
            return found

    def _head(self, at: int, most_rows: int) -> BatchHead:
        offset, length, body_length = self.batches[at]
        message, body = self.data[offset : offset + length], self.data[offset + length : offset + length + body_length]
        if min(offset, length, body_length) < 0 or len(message) != length or len(body) != body_length:
            raise ArrowError("is cut off")
        if message[:4] != CONTINUATION:
            raise ArrowError("has no batch where it says that it has one")
        root = _root(message[8:])
        header = _child(root, 2)
        if _number(root, 1, number_types.Uint8Flags) != RECORD_BATCH_HEADER or header is None:
            raise ArrowError("has something else where it says that it has a batch")
        rows = _number(header, 0, number_types.Int64Flags)
        if not 0 <= rows <= most_rows:
            raise ArrowError(f"has {rows:,} rows where {most_rows:,} are the most that there can be")
        compression = _child(header, 3)
        if compression is not None and _number(compression, 0, number_types.Int8Flags) != ZSTD:
            raise ArrowError("is compressed in another way than ShiftLens does it")
        return BatchHead(
            rows, body, _pairs(header, 1), _pairs(header, 2), compression is not None, _key_values(root, 4)
        )


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What a batch says of itself: its rows, where its buffers are in `body`, and its metadata."""

    rows: int
    body: bytes
    nodes: tuple[tuple[int, int], ...]
    buffers: tuple[tuple[int, int], ...]
    is_compressed: bool
    metadata: dict[str, str]


def open_arrow(data: bytes, most_batches: int) -> ArrowFile:
    """Read the schema and where the batches are. Raises ArrowError."""
    with _told():
        if not data.startswith(MAGIC) or len(data) < 32:
            raise ArrowError("is no Arrow file")
        if not data.endswith(MAGIC):
            raise ArrowError("is cut off")
        (length,) = struct.unpack_from("<i", data, len(data) - 10)
        start = len(data) - 10 - length
        if length <= 0 or start < 8:
            raise ArrowError("has a broken end")
        root = _root(data[start : len(data) - 10])
        schema = _child(root, 1)
        if schema is None:
            raise ArrowError("names no columns")
        fields = tuple(_field(table) for table in _tables(schema, 1, 1000))
        at, count = _vector(root, 3, BLOCK_BYTES)
        if count > most_batches:
            raise ArrowError(f"has {count:,} batches, and {most_batches:,} are the most that are read")
        blocks = [struct.unpack_from("<qi4xq", root.Bytes, at + BLOCK_BYTES * i) for i in range(count)]
        return ArrowFile(data, fields, _key_values(schema, 2), tuple((int(a), int(b), int(c)) for a, b, c in blocks))


class _Buffers:
    """Takes the buffers of a batch one after the other, each with the size that it must have."""

    def __init__(self, head: BatchHead, most_bytes: int) -> None:
        self._head, self._left = head, most_bytes
        self._node = self._buffer = 0

    def column(self, field: Field, rows: int) -> Column:
        valid = self._valid(rows)
        if field.is_list:
            offsets, end = self._offsets(rows)
            return Column(rows, b"", valid, offsets, self.column(Field("item", field.kind), end))
        if field.kind.is_number:
            return Column(rows, self._take(rows * field.kind.width), valid)
        offsets, end = self._offsets(rows)
        return Column(rows, self._take(end), valid, offsets)

    def finish(self) -> None:
        if self._node != len(self._head.nodes) or self._buffer != len(self._head.buffers):
            raise ArrowError("has columns that its schema does not name")

    def _valid(self, rows: int) -> bytes | None:
        counted, nulls = self._head.nodes[self._node]
        self._node += 1
        if counted != rows:
            raise ArrowError(f"has a column of {counted:,} values where there are {rows:,}")
        _, length = self._head.buffers[self._buffer]
        if length == 0 and nulls == 0:
            self._buffer += 1
            return None
        self._charge(rows)
        bits = int.from_bytes(self._take((rows + 7) // 8), "little")
        digits = f"{bits:0{rows}b}"[::-1][:rows] if rows else ""
        return digits.encode().translate(_FLAGS)

    def _offsets(self, rows: int) -> tuple[bytes, int]:
        data = self._take(4 * (rows + 1))
        offsets = int32(data)
        if offsets[0] != 0 or any(map(int.__gt__, offsets, offsets[1:])):
            raise ArrowError("has lengths below 0")
        return data, offsets[rows]

    def _take(self, size: int) -> bytes:
        """The next buffer, without what pads it."""
        offset, length = self._head.buffers[self._buffer]
        self._buffer += 1
        body = self._head.body
        if offset < 0 or length < 0 or offset + length > len(body):
            raise ArrowError("is cut off")
        if size == 0:
            return b""
        self._charge(size)
        raw = body[offset : offset + length]
        if self._head.is_compressed and raw:
            (stated,) = struct.unpack_from("<q", raw)
            is_stored = stated == NOT_COMPRESSED
            raw = raw[8:] if is_stored else zstd.ZstdDecompressor().decompress(raw[8:], max_length=size)
        if len(raw) < size:
            raise ArrowError("has a column that is shorter than it must be")
        return raw[:size]

    def _charge(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ArrowError("would take more memory than it is given")


_FLAGS = bytes(1 if value == ord("1") else 0 for value in range(256))


@contextmanager
def _told() -> Iterator[None]:
    """What reading damaged bytes raises, as an ArrowError."""
    try:
        yield
    except (struct.error, TypeError, ValueError, IndexError, OverflowError, EOFError, zstd.ZstdError) as error:
        raise ArrowError("is damaged") from error


def _root(data: bytes) -> Table:
    table = Table(data, 0)
    return Table(data, table.Get(number_types.UOffsetTFlags, 0))


def _slot(table: Table, slot: int) -> int:
    """Where the value of a slot stands; 0 where there is none."""
    offset = table.Offset(4 + 2 * slot)
    return int(table.Pos + offset) if offset else 0


def _number(table: Table, slot: int, flags: Any) -> int:
    at = _slot(table, slot)
    return int(table.Get(flags, at)) if at else 0


def _child(table: Table, slot: int) -> Table | None:
    at = _slot(table, slot)
    return Table(table.Bytes, table.Indirect(at)) if at else None


def _vector(table: Table, slot: int, width: int) -> tuple[int, int]:
    """Where the items of a vector begin, and how many there are."""
    at = _slot(table, slot)
    if not at:
        return 0, 0
    start = int(table.Indirect(at))
    count = int(table.Get(number_types.UOffsetTFlags, start))
    if start + 4 + width * count > len(table.Bytes):
        raise ArrowError("is damaged")
    return start + 4, count


def _tables(table: Table, slot: int, most: int) -> list[Table]:
    start, count = _vector(table, slot, 4)
    if count > most:
        raise ArrowError("is damaged")
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]


def _pairs(table: Table, slot: int) -> tuple[tuple[int, int], ...]:
    start, count = _vector(table, slot, PAIR_BYTES)
    found = [struct.unpack_from("<qq", table.Bytes, start + PAIR_BYTES * index) for index in range(count)]
    return tuple((int(first), int(second)) for first, second in found)


def _text(table: Table, slot: int, most: int | None = None) -> str:
    start, count = _vector(table, slot, 1)
    if most is not None and count > most:
        raise ArrowError("is damaged")
    return str(table.Bytes[start : start + count], "utf-8")


def _key_values(table: Table, slot: int) -> dict[str, str]:
    return {_text(pair, 0, _LONGEST_NAME): _text(pair, 1) for pair in _tables(table, slot, _MOST_METADATA)}


def _field(table: Table) -> Field:
    kind = _number(table, 2, number_types.Uint8Flags)
    name = _text(table, 0, _LONGEST_NAME)
    if kind == LIST_TYPE:
        (item,) = _tables(table, 5, 1)
        return Field(name, _field_of_values(item, name).kind, is_list=True)
    return _field_of_values(table, name)


def _field_of_values(table: Table, name: str) -> Field:
    kind, of = _number(table, 2, number_types.Uint8Flags), _child(table, 3)
    first = second = 0
    if kind == INT_TYPE and of is not None:
        first, second = _number(of, 0, number_types.Int32Flags), _number(of, 1, number_types.Uint8Flags)
    elif kind == FLOAT_TYPE and of is not None:
        first = _number(of, 0, number_types.Int16Flags)
    for known, told in TYPES.items():
        if told == (kind, first, second):
            return Field(name, known)
    raise ArrowError(f"has a column {name!r} of a type that ShiftLens does not write")
