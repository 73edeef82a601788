"""Coloured spans, and where they are after edits of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.text.trail import Edits


@dataclass(frozen=True, slots=True)
class Paint:
    """A coloured span: [start, end) in code points, with the type and modifiers of a semantic token."""

    start: int
    end: int
    type_index: int
    modifiers: int


def paints_now(paints: Sequence[Paint], edits: Edits) -> tuple[Paint, ...]:
    """The colours of an analysis in a later text: those that an edit touched are left out, the others move."""
    if edits.is_nothing:
        return tuple(paints)
    return tuple(moved for item in paints if (moved := _moved(item, edits)) is not None)


def _moved(item: Paint, edits: Edits) -> Paint | None:
    span = edits.span_to_new(item.start, item.end)
    return None if span is None else Paint(*span, item.type_index, item.modifiers)
