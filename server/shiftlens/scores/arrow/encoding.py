"""The numbers that Arrow's flatbuffers are made of (Schema.fbs, Message.fbs and File.fbs of the Arrow format)."""

from __future__ import annotations

from shiftlens.scores.arrow.table import Kind

MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"
END_OF_STREAM = CONTINUATION + bytes(4)
ALIGNMENT = 8
VERSION_5 = 4
SCHEMA_HEADER = 1
RECORD_BATCH_HEADER = 3
ZSTD = 1
LIST_TYPE = 12
NOT_COMPRESSED = -1

INT_TYPE, FLOAT_TYPE, BINARY_TYPE, UTF8_TYPE = 2, 3, 4, 5
SINGLE_PRECISION = 1

TYPES: dict[Kind, tuple[int, int, int]] = {
    Kind.INT32: (INT_TYPE, 32, 1),
    Kind.UINT32: (INT_TYPE, 32, 0),
    Kind.UINT8: (INT_TYPE, 8, 0),
    Kind.FLOAT32: (FLOAT_TYPE, SINGLE_PRECISION, 0),
    Kind.UTF8: (UTF8_TYPE, 0, 0),
    Kind.BINARY: (BINARY_TYPE, 0, 0),
}
"""The type of each kind, and what the tables of types say further: bits and sign of integers, precision of floats."""

BLOCK_BYTES = 24
PAIR_BYTES = 16
"""A field node (rows and nulls) and a buffer (offset and length) are two int64."""
