"""Writing an Arrow IPC file: a schema with metadata, and batches of rows with compressed columns.

Any program that reads Arrow opens it. Each batch may have metadata of its own.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers

from shiftlens.scores.arrow.encoding import (
    ALIGNMENT,
    BLOCK_BYTES,
    CONTINUATION,
    END_OF_STREAM,
    FLOAT_TYPE,
    INT_TYPE,
    LIST_TYPE,
    MAGIC,
    NOT_COMPRESSED,
    PAIR_BYTES,
    RECORD_BATCH_HEADER,
    SCHEMA_HEADER,
    TYPES,
    VERSION_5,
    ZSTD,
)
from shiftlens.scores.arrow.table import Column, Field

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_Build = Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows, a column for each field of the schema, and what else is said of them."""

    rows: int
    columns: Sequence[Column]
    metadata: Mapping[str, str] = field(default_factory=dict)


def arrow_file(fields: Sequence[Field], metadata: Mapping[str, str], batches: Sequence[Batch]) -> bytes:
    """The bytes of an Arrow IPC file."""
    out = bytearray(MAGIC + bytes(2))
    out += _message(SCHEMA_HEADER, lambda builder: _schema(builder, fields, metadata), b"", {})
    blocks: list[tuple[int, int, int]] = []
    for batch in batches:
        head, body = _record_batch(batch)
        blocks.append((len(out), len(head), len(body)))
        out += head + body
    out += END_OF_STREAM
    footer = _footer(fields, metadata, blocks)
    return bytes(out + footer + struct.pack("<i", len(footer)) + MAGIC)


def _record_batch(batch: Batch) -> tuple[bytes, bytes]:
    nodes: list[tuple[int, int]] = []
    buffers: list[bytes] = []
    for column in batch.columns:
        _lay_out(column, nodes, buffers)
    body = bytearray()
    places: list[tuple[int, int]] = []
    for raw in buffers:
        packed = _compressed(raw)
        places.append((len(body), len(packed)))
        body += packed + bytes(-len(packed) % ALIGNMENT)

    def header(builder: Any) -> int:
        node_vector, buffer_vector = _pairs(builder, nodes), _pairs(builder, places)
        builder.StartObject(2)
        builder.PrependInt8Slot(0, ZSTD, 0)
        compression = builder.EndObject()
        builder.StartObject(4)
        builder.PrependInt64Slot(0, batch.rows, 0)
        builder.PrependUOffsetTRelativeSlot(1, node_vector, 0)
        builder.PrependUOffsetTRelativeSlot(2, buffer_vector, 0)
        builder.PrependUOffsetTRelativeSlot(3, compression, 0)
        return int(builder.EndObject())

    return _message(RECORD_BATCH_HEADER, header, bytes(body), batch.metadata), bytes(body)


def _lay_out(column: Column, nodes: list[tuple[int, int]], buffers: list[bytes]) -> None:
    """The nodes and buffers of a column, in the order that Arrow asks for."""
    nodes.append((column.rows, 0 if column.valid is None else column.valid.count(0)))
    buffers.append(b"" if column.valid is None else _bits(column.valid))
    if column.offsets:
        buffers.append(column.offsets)
    if column.items is None:
        buffers.append(column.data)
    else:
        _lay_out(column.items, nodes, buffers)


def _bits(flags: bytes) -> bytes:
    size = (len(flags) + 7) // 8
    digits = flags.translate(_DIGITS)[::-1]
    return int(digits or b"0", 2).to_bytes(size, "little")


_DIGITS = b"0" + b"1" * 255


def _compressed(raw: bytes) -> bytes:
    if not raw:
        return b""
    packed = zstd.compress(raw)
    if len(packed) < len(raw):
        return struct.pack("<q", len(raw)) + packed
    return struct.pack("<q", NOT_COMPRESSED) + raw


def _message(kind: int, build: _Build, body: bytes, metadata: Mapping[str, str]) -> bytes:
    builder = flatbuffers.Builder(1024)
    pairs = _key_values(builder, metadata)
    header = build(builder)
    builder.StartObject(5)
    builder.PrependInt16Slot(0, VERSION_5, 0)
    builder.PrependUint8Slot(1, kind, 0)
    builder.PrependUOffsetTRelativeSlot(2, header, 0)
    builder.PrependInt64Slot(3, len(body), 0)
    builder.PrependUOffsetTRelativeSlot(4, pairs, 0)
    builder.Finish(builder.EndObject())
    encoded = bytes(builder.Output())
    encoded += bytes(-len(encoded) % ALIGNMENT)
    return CONTINUATION + struct.pack("<i", len(encoded)) + encoded


def _footer(fields: Sequence[Field], metadata: Mapping[str, str], blocks: Sequence[tuple[int, int, int]]) -> bytes:
    builder = flatbuffers.Builder(1024)
    schema = _schema(builder, fields, metadata)
    builder.StartVector(BLOCK_BYTES, len(blocks), ALIGNMENT)
    for offset, head, body in reversed(blocks):
        builder.Prep(ALIGNMENT, BLOCK_BYTES)
        builder.PrependInt64(body)
        builder.Pad(4)
        builder.PrependInt32(head)
        builder.PrependInt64(offset)
    batches = builder.EndVector()
    builder.StartVector(BLOCK_BYTES, 0, ALIGNMENT)
    dictionaries = builder.EndVector()
    builder.StartObject(5)
    builder.PrependInt16Slot(0, VERSION_5, 0)
    builder.PrependUOffsetTRelativeSlot(1, schema, 0)
    builder.PrependUOffsetTRelativeSlot(2, dictionaries, 0)
    builder.PrependUOffsetTRelativeSlot(3, batches, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _schema(builder: Any, fields: Sequence[Field], metadata: Mapping[str, str]) -> int:
    pairs = _key_values(builder, metadata)
    found = _offsets(builder, [_field(builder, each) for each in fields])
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, found, 0)
    builder.PrependUOffsetTRelativeSlot(2, pairs, 0)
    return int(builder.EndObject())


def _field(builder: Any, of: Field) -> int:
    children = [_field(builder, Field("item", of.kind))] if of.is_list else []
    below = _offsets(builder, children)
    name = builder.CreateString(of.name)
    kind, first, second = (LIST_TYPE, 0, 0) if of.is_list else TYPES[of.kind]
    builder.StartObject(2)
    if kind == INT_TYPE:
        builder.PrependInt32Slot(0, first, 0)
        builder.PrependBoolSlot(1, second, 0)
    elif kind == FLOAT_TYPE:
        builder.PrependInt16Slot(0, first, 0)
    described = builder.EndObject()
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependBoolSlot(1, True, False)
    builder.PrependUint8Slot(2, kind, 0)
    builder.PrependUOffsetTRelativeSlot(3, described, 0)
    builder.PrependUOffsetTRelativeSlot(5, below, 0)
    return int(builder.EndObject())


def _key_values(builder: Any, metadata: Mapping[str, str]) -> int:
    found = []
    for key, value in metadata.items():
        key_at, value_at = builder.CreateString(key), builder.CreateString(value)
        builder.StartObject(2)
        builder.PrependUOffsetTRelativeSlot(0, key_at, 0)
        builder.PrependUOffsetTRelativeSlot(1, value_at, 0)
        found.append(builder.EndObject())
    return _offsets(builder, found)


def _offsets(builder: Any, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _pairs(builder: Any, pairs: Sequence[tuple[int, int]]) -> int:
    builder.StartVector(PAIR_BYTES, len(pairs), ALIGNMENT)
    for first, second in reversed(pairs):
        builder.Prep(ALIGNMENT, PAIR_BYTES)
        builder.PrependInt64(second)
        builder.PrependInt64(first)
    return int(builder.EndVector())
