"""Inlay hints: behind each shifted token, what the base model would have said there."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from shiftlens.analysis.facts import base_choice, rank_facts
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.runs import Run
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.open import position
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits

_LONGEST = 20


def inlay_hints(
    analysis: DocumentAnalysis, edits: Edits, lines: LineIndex, start: int, end: int, unit: Unit
) -> list[types.InlayHint]:
    """The hints of shifted tokens that end in [start, end] of the present text; of scores that are there.

    A token for which no candidates of the base model are known has none. That of a token that ends in a line break
    stands before the break.
    """
    found: list[types.InlayHint] = []
    first, last = (_in_old_text(edits, at) for at in (start, end))
    for result in analysis.results:
        for run in result.runs:
            if result.analysis is not None and run.source_end >= first and run.source_start <= last:
                for row in _shifted(result.analysis, run):
                    span = edits.span_to_new(result.analysis.starts[row], result.analysis.ends[row])
                    if span is None:
                        continue
                    # Behind a line break it would stand before the next token.
                    at = span[0] + len(lines.text[span[0] : span[1]].rstrip("\r\n"))
                    if start <= at <= end:
                        found += _hint(result.analysis, row, position(lines, at, unit))
    return found


def _in_old_text(edits: Edits, offset: int) -> int:
    at = edits.offset_to_old(offset)
    return edits.region_start(offset) if at is None else at


def _shifted(analysis: ResponseAnalysis, run: Run) -> Iterator[int]:
    return (row for row in range(run.first, run.end) if analysis.classes[row] == ShiftClass.SHIFTED)


def _hint(response: ResponseAnalysis, row: int, at: types.Position) -> Iterator[types.InlayHint]:
    item = token(response, row)
    choice = base_choice(item, _LONGEST)
    if choice is not None:
        chooser = "The base model's" if item.base is not None else "The model's"
        ranks = ", ".join(fact.words for fact in rank_facts(item, response.scored))
        yield types.InlayHint(
            position=at,
            label=f"{'base' if item.base is not None else 'model'}: {choice}",
            tooltip=f"{chooser} most likely token here is {base_choice(item)}. Of this one: {ranks}.",
            padding_left=True,
            padding_right=True,
        )
