"""The numbers of AlignTDS as text for a terminal."""

from __future__ import annotations

from typing import Protocol

from shiftlens.analysis.aligntds import mean_measures, measures_at, shown_text
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.tokens import token
from shiftlens.analysis.words import number_words, positions_words
from shiftlens.report.text.columns import columns
from shiftlens.scores.records import ScoredResponse
from shiftlens.text.visible import shorten, visible_piece, visible_text

_LONGEST_TOKEN = 20


class Lines(Protocol):
    """What can write a line of text (a `Painter`)."""

    def line(self, text: str = "") -> None: ...


def print_reference(out: Lines, analysis: ResponseAnalysis) -> None:
    """The means of a response, and a table of its positions that are not unshifted, each with its own numbers."""
    scored = analysis.scored
    if not isinstance(scored, ScoredResponse):
        return
    means = mean_measures(scored)
    said = ", ".join(f"{name} {round(value, 4) + 0:.4f}" for name, value in means.items())
    out.line(f"AlignTDS, means of {positions_words(scored.rows)}: {said}")
    rows = [at for at, shift in enumerate(analysis.classes) if shift != ShiftClass.UNSHIFTED]
    if rows:
        table = [
            ("position", "token", "AlignTDS shows", "class", *means),
            *(_cells(analysis, scored, row) for row in rows),
        ]
        for line in columns(table, words=(1, 2, 3)):
            out.line(line)


def _cells(analysis: ResponseAnalysis, scored: ScoredResponse, row: int) -> tuple[str, ...]:
    item = token(analysis, row)
    own = "(end)" if item.is_end else visible_piece(item.piece, limit=_LONGEST_TOKEN)
    theirs = shorten(visible_text(shown_text(scored, row)), _LONGEST_TOKEN)
    numbers = (number_words(name, value) for name, value in measures_at(scored, row).items())
    return (str(row + 1), own, theirs, item.shift.label, *numbers)
