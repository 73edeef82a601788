"""Selection ranges: from the token to its run, its part of the response, its turn and its conversation."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import span_range
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.transcripts.model import Transcript

_Span = tuple[int, int]


def selection_range(
    transcript: Transcript | None, place: Place | None, lines: LineIndex, offset: int, unit: Unit
) -> types.SelectionRange:
    """What to select at an offset of the text that `transcript` was read from, the smallest first.

    Each range holds the one before. Token and run are of `place`, where there are scores; a token that is in no run has
    none. Where there is nothing to select, it is the empty range.
    """
    token = place.span_now() if place is not None else None
    first, past = token or (offset, offset)
    every = {token} if token else set()
    every |= {span for span in _spans(transcript, place, offset) if span[0] <= first and past <= span[1]}
    spans = sorted((span for span in every if span[0] < span[1]), key=lambda span: (span[0] - span[1], span))
    found: types.SelectionRange | None = None
    inside: _Span | None = None
    for span in spans:
        if inside is None or (inside[0] <= span[0] and span[1] <= inside[1]):
            found = types.SelectionRange(range=span_range(lines, *span, unit), parent=found)
            inside = span
    return found or types.SelectionRange(range=span_range(lines, offset, offset, unit))


def _spans(transcript: Transcript | None, place: Place | None, offset: int) -> Iterator[_Span]:
    if place is not None:
        for run in place.result.runs:
            span = place.edits.span_to_new(run.source_start, run.source_end)
            if span is not None:
                yield span
    for turns in transcript.conversations if transcript is not None else ():
        placed = [turn for turn in turns if turn.parts]
        around = [turn for turn in placed if turn.source_start <= offset <= turn.source_end]
        if placed:
            yield min(turn.source_start for turn in placed), max(turn.source_end for turn in placed)
        for turn in around:
            yield turn.source_start, turn.source_end
            yield from ((part.source.source_start, part.source.source_end) for part in turn.parts)
