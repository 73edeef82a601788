"""Columns of numbers as bytes, read in place, and what stands in a column of ranks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNKNOWN_RANK = 0
"""What a column of ranks has where nothing is known of the rank."""


@dataclass(frozen=True, slots=True)
class Above:
    """A rank of which is known only that it is greater than `rank`: the token is not among that many candidates."""

    rank: int


NO_CANDIDATE = -1
"""What a column of candidates has where there are fewer than k. Ids below it stand for tokens without a known id."""

Rank = int | Above | None
"""1 + the number of tokens with a strictly greater logit; `Above` where that is only bounded; None where unknown."""


def rank_of(value: int) -> Rank:
    """What a value in a column of ranks says: r > 0 is the rank r, -r is a rank above r, 0 is unknown."""
    if value > 0:
        return value
    return Above(-value) if value else None


def known_id(value: int) -> int | None:
    """The id that a column of ids names; None for a token that its source names by its text alone."""
    return value if value >= 0 else None


def int32(column: bytes) -> Sequence[int]:
    """Read an int32 column in place."""
    return memoryview(column).cast("i")


def uint32(column: bytes) -> Sequence[int]:
    """Read a uint32 column in place."""
    return memoryview(column).cast("I")


def float32(column: bytes) -> Sequence[float]:
    """Read a float32 column in place."""
    return memoryview(column).cast("f")


def int32_column(values: Iterable[int]) -> bytes:
    """An int32 column of these values."""
    return array("i", values).tobytes()


def uint32_column(values: Iterable[int]) -> bytes:
    """A uint32 column of these values."""
    return array("I", values).tobytes()


def float32_column(values: Iterable[float]) -> bytes:
    """A float32 column of these values."""
    return array("f", values).tobytes()
