"""What to paint: spans of the file with a class, in order and without overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shiftlens.analysis.model import ResponseAnalysis, ShiftClass, worst_class
from shiftlens.scores.records import ScoredResponse
from shiftlens.text.spans import character_at, gaps


@dataclass(frozen=True, slots=True)
class Highlight:
    """A source span [start, end), never empty, and how to show it. Offsets are code points of the file."""

    start: int
    end: int
    shift: ShiftClass
    special: bool = False
    boundary: bool = False
    off_greedy: bool = False


def highlights(analysis: ResponseAnalysis) -> Sequence[Highlight]:
    """The highlights of a response, sorted by their place in the file and without overlap.

    A character split over several tokens is one highlight with the worst class of its parts and the flags of
    any. Positions without text give none; what the file holds between two parts of a response is left out.
    """
    breaks = gaps(analysis.source)
    if breaks or any(analysis.cuts):
        return tuple(sorted(_across(analysis, breaks), key=lambda item: item.start))
    return tuple(
        _of_row(analysis, row, start, end)
        for row, (start, end) in enumerate(zip(analysis.starts, analysis.ends, strict=True))
        if start < end
    )


def position_at(analysis: ResponseAnalysis, offset: int) -> int | None:
    """The position that holds the (first byte of the) character at a source offset, None where there is none.

    O(log n) for each part.
    """
    character = _character_at(analysis, offset)
    return None if character is None else _row_of(analysis, character)


def positions_at(analysis: ResponseAnalysis, offset: int) -> range:
    """The positions that touch the character at a source offset: one, several where they share it, or none.

    Where the response ends in the file and no other token begins, that is the position of the end. O(log n) for each
    part.
    """
    character = _character_at(analysis, offset)
    row = None if character is None else _row_of(analysis, character)
    if character is None or row is None:
        last = len(analysis.ends) - 1
        return range(last, last + 1) if analysis.has_end and offset == analysis.ends[last] else range(0)
    if not analysis.cuts[row] or character < analysis.text_ends[row] - 1:
        return range(row, row + 1)
    return range(row, _past_split(analysis, row))


def span_of(analysis: ResponseAnalysis, first: int, end: int) -> tuple[int, int]:
    """Where the positions [first, end), of one part and at least one, stand in the file: with whole characters.

    Positions without text have an empty span, but one that has bytes of a character has that character's.
    """
    start = analysis.starts[first]
    if first and analysis.cuts[first - 1]:
        start = analysis.source.start_of(analysis.text_ends[first - 1] - 1)
    return start, analysis.ends[end - 1]


def _character_at(analysis: ResponseAnalysis, offset: int) -> int | None:
    """The character of the response's text at a source offset. Each part ascends in the file, all together may not."""
    for part in analysis.parts:
        found = character_at(analysis.source, part.text_start, part.text_end, offset)
        if found is not None:
            return found
    return None


def _row_of(analysis: ResponseAnalysis, character: int) -> int | None:
    """The position with the first byte of a character of the response's text; None where it is not scored yet."""
    row = bisect_right(analysis.text_ends, character)
    return row if row < len(analysis.text_ends) else None


def _past_split(analysis: ResponseAnalysis, row: int) -> int:
    """One past the last position that holds bytes of the character in which `row` ends."""
    begun = analysis.text_ends[row]
    past = row + 1
    while past < len(analysis.cuts):
        past += 1
        if analysis.text_ends[past - 1] > begun or not analysis.cuts[past - 1]:
            break
    return past


def _of_row(analysis: ResponseAnalysis, row: int, start: int, end: int) -> Highlight:
    scored = analysis.scored
    return Highlight(
        start,
        end,
        ShiftClass(analysis.classes[row]),
        bool(scored.aligned.special[row]),
        isinstance(scored, ScoredResponse) and bool(scored.comparison.boundary[row]),
        bool(analysis.off_greedy[row]),
    )


def _across(analysis: ResponseAnalysis, breaks: list[int]) -> Iterator[Highlight]:
    """The general case: characters split over positions, and responses that are not one run of the file."""
    begin = 0
    for row, end in enumerate(analysis.text_ends):
        if end > begin:
            whole = end - 1 if analysis.cuts[row] else end
            for start, stop in _runs(analysis, breaks, begin, whole):
                yield _of_row(analysis, row, start, stop)
            if whole < end:
                yield _split_character(analysis, row, end - 1)
        begin = end


def _split_character(analysis: ResponseAnalysis, row: int, character: int) -> Highlight:
    start, end = analysis.source.span(character, character + 1)
    parts = [_of_row(analysis, part, start, end) for part in range(row, _past_split(analysis, row))]
    return Highlight(
        start,
        end,
        worst_class(part.shift for part in parts),
        any(part.special for part in parts),
        any(part.boundary for part in parts),
        any(part.off_greedy for part in parts),
    )


def _runs(analysis: ResponseAnalysis, breaks: list[int], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The source spans of decoded characters [begin, end), cut where the file has a gap."""
    inside = breaks[bisect_right(breaks, begin) : bisect_left(breaks, end)]
    edges = [begin, *inside, end]
    for first, past in pairwise(edges):
        if first < past:
            yield analysis.source.span(first, past)
