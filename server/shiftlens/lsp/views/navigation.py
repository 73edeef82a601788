"""From a position to the next shifted token or run, or to the one before, round the ends of the file.

A shifted token is what the document shows as one: a coloured span, also one whose colour was carried over an edit and
is being scored anew. A run (`analysis.runs`) is of scores that are there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from shiftlens.analysis.model import ShiftClass
from shiftlens.analysis.runs import Run, densest
from shiftlens.lsp.documents.open import OpenDocument, span_range
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.semantic_tokens import TOKEN_TYPES
from shiftlens.text.lines import Unit
from shiftlens.text.trail import Edits

Json = dict[str, object]

_SHIFTED = TOKEN_TYPES.index(ShiftClass.SHIFTED.label)


@dataclass(frozen=True, slots=True)
class Stop:
    """A place to go to: the span [start, end) of the present text, and `tokens` with `shifted` ones among them.

    `wrapped` says that the way led round the end of the file, or its start.
    """

    start: int
    end: int
    tokens: int = 1
    shifted: int = 1
    wrapped: bool = False


def next_token(analysis: DocumentAnalysis, edits: Edits, offset: int, *, back: bool) -> Stop | None:
    """The first shifted token that begins after an offset of the present text, or with `back` the last before it.

    None where no token is shifted.
    """
    paints = analysis.paints
    at = edits.offset_to_old(offset)
    # Typed text has no tokens: the search begins at its edges.
    here = bisect_left(paints, edits.region_start(offset) if at is None else at, key=lambda paint: paint.start)
    onward = range(here - 1, -1, -1) if back else range(here, len(paints))
    for span in _shifted(analysis, edits, onward):
        if span[0] < offset if back else span[0] > offset:
            return Stop(*span)
    every = range(len(paints) - 1, -1, -1) if back else range(len(paints))
    return next((Stop(*span, wrapped=True) for span in _shifted(analysis, edits, every)), None)


def next_run(analysis: DocumentAnalysis, edits: Edits, offset: int, *, back: bool) -> Stop | None:
    """As `next_token`, for runs."""
    stops = sorted(_stops(chain.from_iterable(result.runs for result in analysis.results), edits), key=_start)
    if not stops:
        return None
    at = bisect_left(stops, offset, key=_start) - 1 if back else bisect_right(stops, offset, key=_start)
    wrapped = not 0 <= at < len(stops)
    found = stops[at % len(stops)]
    return Stop(found.start, found.end, found.tokens, found.shifted, wrapped)


def first_shifted(analysis: DocumentAnalysis, edits: Edits, response: int) -> Stop | None:
    """The first shifted token of a response, by its place in the file; None where there is none."""
    result = analysis.results[response] if 0 <= response < len(analysis.results) else None
    for item in result.paints if result is not None else ():
        if item.type_index == _SHIFTED and (span := edits.span_to_new(item.start, item.end)) is not None:
            return Stop(*span)
    return None


def densest_run(analysis: DocumentAnalysis, edits: Edits, response: int) -> Stop | None:
    """The densest run of a response; None where there is none, or an edit has touched it."""
    result = analysis.results[response] if 0 <= response < len(analysis.results) else None
    best = densest(result.runs) if result is not None else None
    return None if best is None else next(_stops((best,), edits), None)


def stop_answer(document: OpenDocument, analysis: DocumentAnalysis, stop: Stop, of: str, unit: Unit) -> Json:
    """`shiftlens/next`: where to go, how many tokens stand there and how many of these are shifted.

    `complete` says whether all of the file has its scores; where not, there may be a nearer place that is not known.
    """
    return {
        "uri": document.uri,
        "version": document.version,
        "analysedVersion": analysis.version,
        "complete": analysis.is_complete,
        "of": of,
        "range": span_range(document.lines, stop.start, stop.end, unit),
        "tokens": stop.tokens,
        "shifted": stop.shifted,
        "wrapped": stop.wrapped,
    }


def _shifted(analysis: DocumentAnalysis, edits: Edits, order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The spans of the shifted ones among the paints of these indices that no edit has touched."""
    for at in order:
        paint = analysis.paints[at]
        if paint.type_index == _SHIFTED and (span := edits.span_to_new(paint.start, paint.end)) is not None:
            yield span


def _stops(runs: Iterable[Run], edits: Edits) -> Iterator[Stop]:
    for run in runs:
        span = edits.span_to_new(run.source_start, run.source_end)
        if span is not None:
            yield Stop(*span, run.tokens, run.shifted)


def _start(stop: Stop) -> int:
    return stop.start
