"""What stands at a position of a document: the response, its result and its rows."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types

from shiftlens.analysis.highlights import row_at
from shiftlens.analysis.model import Token
from shiftlens.analysis.tokens import token
from shiftlens.geometry.lines import Unit
from shiftlens.lsp.documents import OpenDocument, offset
from shiftlens.lsp.edits import Edit
from shiftlens.lsp.store import DocumentAnalysis, ResponseResult


@dataclass(frozen=True, slots=True)
class Place:
    """A response and the tokens at an offset of it.

    `tokens` are in order: first the one whose character is there, then those that hold the rest of its bytes, and at
    the end of the response the end. They are none where the response has no scores there (yet). `edit` leads from
    the analysed text to the present one.
    """

    analysis: DocumentAnalysis
    index: int
    result: ResponseResult
    tokens: tuple[Token, ...]
    edit: Edit

    def span_now(self) -> tuple[int, int] | None:
        """Where the tokens stand in the present text."""
        if not self.tokens:
            return None
        return self.edit.span_to_new(self.tokens[0].start, max(item.end for item in self.tokens))


def place_at(document: OpenDocument, analysis: DocumentAnalysis, position: types.Position, unit: Unit) -> Place | None:
    """None for a position outside every response; a place without tokens for one inside an edited region."""
    edit = Edit.between(analysis.text, document.text)
    now = offset(document.lines, position, unit)
    at = edit.offset_to_old(now)
    touched = at is None
    if at is None:
        # Inside what was typed: the response that the edit stands in has no tokens there.
        at = edit.prefix
    elif at == len(analysis.text) and edit.new_length != edit.old_length and edit.suffix == 0:
        touched = True
    for index, response in enumerate(analysis.transcript.responses):
        source = response.turn.source
        if source.source_start <= at <= source.source_end:
            result = analysis.results[index]
            tokens = () if touched else _tokens_at(result, at, source.source_end)
            return Place(analysis, index, result, tokens, edit)
    return None


def _tokens_at(result: ResponseResult, at: int, response_end: int) -> tuple[Token, ...]:
    analysis = result.analysis
    if analysis is None:
        return ()
    rows = len(analysis.starts)
    inside = at if at < response_end else at - 1
    first = row_at(analysis, inside)
    found: list[Token] = []
    if first is not None:
        found.append(token(analysis, first))
        row = first + 1
        while row < rows and analysis.starts[row] == analysis.ends[row] and not token(analysis, row).is_end:
            found.append(token(analysis, row))
            row += 1
    if at == response_end and not result.partial and rows:
        end = token(analysis, rows - 1)
        if end.is_end:
            found.append(end)
    return tuple(found)
