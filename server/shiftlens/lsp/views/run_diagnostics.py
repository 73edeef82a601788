"""Runs of shifted tokens as diagnostics, so that an editor without semantic tokens walks them as it does problems."""

from __future__ import annotations

from lsprotocol import types

from shiftlens.analysis.facts import base_choice
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.runs import Run
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.diagnostics import SOURCE
from shiftlens.lsp.documents.open import span_range
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits
from shiftlens.text.visible import shorten, visible_note

CODE = "shifted-run"
MOST_RUNS = 500
_LONGEST_TEXT = 60


def run_diagnostics(analysis: DocumentAnalysis, edits: Edits, lines: LineIndex, unit: Unit) -> list[types.Diagnostic]:
    """One for each run that no edit has touched, by place in the file, of severity Information.

    There are MOST_RUNS at most; the last one then says how many more there are, and stands where they begin.
    """
    placed = sorted(
        (
            (span, result.analysis, run)
            for result in analysis.results
            if result.analysis is not None
            for run in result.runs
            if (span := edits.span_to_new(run.source_start, run.source_end)) is not None
        ),
        key=lambda found: found[0],
    )
    shown = [_diagnostic(lines, span, _words(response, run), unit) for span, response, run in placed[:MOST_RUNS]]
    if len(placed) > MOST_RUNS:
        more = f"And {len(placed) - MOST_RUNS:,} more runs of shifted tokens, from here on."
        shown.append(_diagnostic(lines, placed[MOST_RUNS][0], more, unit))
    return shown


def _words(response: ResponseAnalysis, run: Run) -> str:
    begin = response.text_ends[run.first - 1] if run.first else 0
    text = shorten(visible_note(response.text[begin : response.text_ends[run.end - 1]]), _LONGEST_TEXT)
    item = token(response, run.first)
    choice, chooser = base_choice(item), "The base model's" if item.base is not None else "The model's"
    instead = f" {chooser} most likely token where it begins: {choice}." if choice is not None else ""
    return f"{run.words_in(response)}: {text}.{instead}"


def _diagnostic(lines: LineIndex, span: tuple[int, int], message: str, unit: Unit) -> types.Diagnostic:
    return types.Diagnostic(
        range=span_range(lines, *span, unit),
        message=message,
        severity=types.DiagnosticSeverity.Information,
        source=SOURCE,
        code=CODE,
    )
