"""Ranks that may be known in part: the worst of several, what class they are of, and how they are said."""

from __future__ import annotations

from collections.abc import Iterable

from shiftlens.analysis.model import ShiftClass
from shiftlens.scores.columns import UNKNOWN_RANK, Above, Rank


def worst_rank(values: Iterable[int]) -> int:
    """The largest of several ranks, all as a column has them (`columns.rank_of`); unknown where one of them is."""
    exact, above = 0, 0
    for value in values:
        if value == UNKNOWN_RANK:
            return UNKNOWN_RANK
        exact, above = max(exact, value), max(above, -value)
    return -max(above, exact - 1) if above else exact


def class_of(value: int, thresholds: tuple[int, int]) -> ShiftClass:
    """The class of a base rank as a column has it; UNKNOWN where what is known of the rank does not decide it."""
    last_unshifted, last_marginal = thresholds
    if value > 0:
        if value <= last_unshifted:
            return ShiftClass.UNSHIFTED
        return ShiftClass.MARGINAL if value <= last_marginal else ShiftClass.SHIFTED
    return ShiftClass.SHIFTED if value and -value >= last_marginal else ShiftClass.UNKNOWN


def classes_of(values: Iterable[int], thresholds: tuple[int, int]) -> bytes:
    """One byte per rank, a value of `ShiftClass`."""
    known: dict[int, int] = {}
    found = bytearray()
    for value in values:
        shift = known.get(value)
        if shift is None:
            shift = known[value] = class_of(value, thresholds)
        found.append(shift)
    return bytes(found)


def rank_words(rank: Rank) -> str:
    """A rank in words: "1,234", "above 20", "unknown"."""
    if rank is None:
        return "unknown"
    return f"above {rank.rank:,}" if isinstance(rank, Above) else f"{rank:,}"


def rank_number(rank: Rank) -> int | None:
    """The rank where it is known exactly."""
    return rank if isinstance(rank, int) else None
