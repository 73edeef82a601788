"""Columns of a table as Arrow has them, without the encoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

from shiftlens.scores.columns import int32, int32_column


class Kind(Enum):
    """What a value is: a number of so many bytes, or bytes of any length (UTF8, BINARY)."""

    INT32 = "i"
    UINT32 = "I"
    UINT8 = "B"
    FLOAT32 = "f"
    UTF8 = "utf8"
    BINARY = "binary"

    @property
    def is_number(self) -> bool:
        return self not in (Kind.UTF8, Kind.BINARY)

    @property
    def width(self) -> int:
        """Bytes of a value; 0 where they differ."""
        return {Kind.UINT8: 1, Kind.UTF8: 0, Kind.BINARY: 0}.get(self, 4)


@dataclass(frozen=True, slots=True)
class Field:
    """A column's name, and what it has in each row: a value, or with `is_list` a list of values. Any may be null."""

    name: str
    kind: Kind
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """The values of a column, n of them.

    - valid: uint8 [n], 0 where a value is null; None where none is.
    - data: numbers, one after the other; or the bytes of all values, joined.
    - offsets: int32 [n + 1] where values or lists have lengths, else empty.
    - items: of a column of lists, all their items in one column.
    """

    rows: int
    data: bytes = b""
    valid: bytes | None = None
    offsets: bytes = b""
    items: Column | None = None

    def is_null(self, row: int) -> bool:
        return self.valid is not None and not self.valid[row]

    def span(self, row: int) -> tuple[int, int]:
        """Where the value or list of a row begins and ends."""
        offsets = int32(self.offsets)
        return offsets[row], offsets[row + 1]

    def values(self) -> list[bytes | None]:
        """The values of a column of bytes."""
        offsets = int32(self.offsets)
        return [
            None if self.valid is not None and not self.valid[row] else self.data[offsets[row] : offsets[row + 1]]
            for row in range(self.rows)
        ]


def numbers(data: bytes, rows: int, valid: Iterable[bool] | None = None) -> Column:
    """A column of numbers; what is null has 0 in `data`."""
    return Column(rows, data, _flags(valid))


def blobs(values: Sequence[bytes | None]) -> Column:
    """A column of bytes, or of text in UTF-8."""
    offsets = int32_column((0, *accumulate(len(value or b"") for value in values)))
    return Column(
        len(values),
        b"".join(value or b"" for value in values),
        _flags([value is not None for value in values]),
        offsets,
    )


def lists(lengths: Iterable[int], items: Column, valid: Iterable[bool] | None = None) -> Column:
    """A column of lists with these lengths, a null one's 0."""
    ends = (0, *accumulate(lengths))
    return Column(len(ends) - 1, b"", _flags(valid), int32_column(ends), items)


def nothing(field: Field, rows: int) -> Column:
    """A column of nulls."""
    flags = bytes(rows) if rows else None
    offsets = bytes(4 * (rows + 1))
    if field.is_list:
        empty = Column(0) if field.kind.is_number else Column(0, offsets=bytes(4))
        return Column(rows, b"", flags, offsets, empty)
    return Column(rows, bytes(field.kind.width * rows), flags, b"" if field.kind.is_number else offsets)


def _flags(valid: Iterable[bool] | None) -> bytes | None:
    flags = None if valid is None else bytes(valid)
    return flags if flags is not None and 0 in flags else None
