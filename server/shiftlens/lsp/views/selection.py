"""Selection ranges: from the token to its run, its part of the response, its turn and its conversation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from lsprotocol import types

from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import span_range
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.transcripts.model import Transcript

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TurnSpans:
    """The spans of the conversations, turns and parts of a transcript, so that one cursor of many costs no walk through
    the file.

    `levels` has those of each kind by their starts, since a span is around few others of its kind. With them is the
    furthest end of all spans up to each.
    """

    levels: tuple[tuple[tuple[_Span, ...], tuple[int, ...]], ...] = ()

    @classmethod
    def of(cls, transcript: Transcript | None) -> TurnSpans:
        found = _spans_of(transcript) if transcript is not None else ()
        levels = (tuple(sorted(spans)) for spans in found)
        return cls(tuple((spans, tuple(accumulate((end for _, end in spans), max))) for spans in levels))

    def around(self, first: int, past: int) -> Iterator[_Span]:
        """Those that hold [first, past)."""
        for spans, reach in self.levels:
            at = bisect_right(spans, first, key=lambda span: span[0]) - 1
            while at >= 0 and reach[at] >= past:
                if spans[at][1] >= past:
                    yield spans[at]
                at -= 1


def selection_range(
    turns: TurnSpans, place: Place | None, lines: LineIndex, offset: int, unit: Unit
) -> types.SelectionRange:
    """What to select at an offset of the text that `turns` are of, the smallest first.

    Each range holds the one before. Token and run are of `place`, where there are scores; a token that is in no run has
    none. Where there is nothing to select, it is the empty range.
    """
    token = place.span_now() if place is not None else None
    first, past = token or (offset, offset)
    every = {token} if token else set()
    every |= {span for span in _runs(place) if span[0] <= first and past <= span[1]}
    every.update(turns.around(first, past))
    spans = sorted((span for span in every if span[0] < span[1]), key=lambda span: (span[0] - span[1], span))
    found: types.SelectionRange | None = None
    inside: _Span | None = None
    for span in spans:
        if inside is None or (inside[0] <= span[0] and span[1] <= inside[1]):
            found = types.SelectionRange(range=span_range(lines, *span, unit), parent=found)
            inside = span
    return found or types.SelectionRange(range=span_range(lines, offset, offset, unit))


def _runs(place: Place | None) -> Iterator[_Span]:
    if place is None:
        return
    for run in place.result.runs:
        span = place.edits.span_to_new(run.source_start, run.source_end)
        if span is not None:
            yield span


def _spans_of(transcript: Transcript) -> Iterator[list[_Span]]:
    """Of all conversations, of all turns, of all parts."""
    placed = [[turn for turn in turns if turn.parts] for turns in transcript.conversations]
    yield [(min(turn.source_start for turn in own), max(turn.source_end for turn in own)) for own in placed if own]
    every = [turn for own in placed for turn in own]
    yield [(turn.source_start, turn.source_end) for turn in every]
    yield [(part.source.source_start, part.source.source_end) for turn in every for part in turn.parts]
