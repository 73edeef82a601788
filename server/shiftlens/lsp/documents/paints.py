"""Coloured spans, and where they are after edits of the text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shiftlens.text.trail import Edits


@dataclass(frozen=True, slots=True)
class Paint:
    """A coloured span: [start, end) in code points, with the type and modifiers of a semantic token."""

    start: int
    end: int
    type_index: int
    modifiers: int


def with_modifier(paints: Sequence[Paint], spans: Sequence[tuple[int, int]], modifier: int) -> Sequence[Paint]:
    """The paints, of which those that lie wholly within one of these spans have a modifier more.

    Spans are in order and do not overlap.
    """
    if not spans:
        return paints
    starts = [start for start, _ in spans]

    def lies_within(item: Paint) -> bool:
        at = bisect_right(starts, item.start) - 1
        return at >= 0 and item.end <= spans[at][1]

    return tuple(replace(item, modifiers=item.modifiers | modifier) if lies_within(item) else item for item in paints)


def paints_now(paints: Sequence[Paint], edits: Edits) -> tuple[Paint, ...]:
    """The colours of an analysis in a later text: those that an edit touched are left out, the others move."""
    if edits.is_nothing:
        return tuple(paints)
    return tuple(moved for item in paints if (moved := _moved(item, edits)) is not None)


def _moved(item: Paint, edits: Edits) -> Paint | None:
    span = edits.span_to_new(item.start, item.end)
    return None if span is None else Paint(*span, item.type_index, item.modifiers)
