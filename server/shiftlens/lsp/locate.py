"""What stands at a position of a document: the response, its result and its rows."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types

from shiftlens.analysis.highlights import rows_at
from shiftlens.analysis.model import Token
from shiftlens.analysis.tokens import is_end, token
from shiftlens.geometry.lines import Unit
from shiftlens.lsp.documents import OpenDocument, offset
from shiftlens.lsp.edits import Edit
from shiftlens.lsp.store import DocumentAnalysis, ResponseResult
from shiftlens.lsp.trail import Edits


@dataclass(frozen=True, slots=True)
class Place:
    """A response and the tokens at an offset of it.

    `tokens` are those that touch the character there, in order, and behind the last character also the end. They are
    none where the response has no scores there (yet). `edits` lead from the analysed text to the present one.
    """

    analysis: DocumentAnalysis
    index: int
    result: ResponseResult
    tokens: tuple[Token, ...]
    edits: Edits

    def span_now(self) -> tuple[int, int] | None:
        """Where the tokens stand in the present text."""
        if not self.tokens:
            return None
        return self.edits.span_to_new(self.tokens[0].start, max(item.end for item in self.tokens))


def place_at(document: OpenDocument, analysis: DocumentAnalysis, position: types.Position, unit: Unit) -> Place | None:
    """None where no response is; a place without tokens for one inside an edited region or without scores."""
    edits = document.edits_since(analysis)
    now = offset(document.lines, position, unit)
    at = edits.offset_to_old(now)
    touched = at is None
    if at is None:
        # Inside what was typed: the response that the edit stands in has no tokens there.
        at = edits.region_start(now)
    elif at == len(analysis.text) and edits.is_at_end:
        touched = True
    for index, response in enumerate(analysis.transcript.responses):
        source = response.turn
        if source.source_start <= at <= source.source_end:
            result = analysis.results[index]
            tokens = () if touched else _tokens_at(result, at, source.source_end)
            is_gap = not tokens and not touched and result.analysis is not None and result.is_final
            return None if is_gap else Place(analysis, index, result, tokens, edits)
    return None


def is_in_response(document: OpenDocument, position: types.Position, unit: Unit) -> bool:
    """Whether a response of the transcript as last read is there, scored or not."""
    parsed = document.parsed
    if parsed is None or parsed.transcript is None:
        return False
    at = Edit.between(parsed.text, document.text).offset_to_old(offset(document.lines, position, unit))
    sources = (response.turn for response in parsed.transcript.responses)
    return at is not None and any(source.source_start <= at <= source.source_end for source in sources)


def _tokens_at(result: ResponseResult, at: int, response_end: int) -> tuple[Token, ...]:
    analysis = result.analysis
    if analysis is None:
        return ()
    rows = list(rows_at(analysis, at))
    if at == response_end:
        # Behind the last character one may mean it as well as the end.
        rows = [row for row in rows_at(analysis, at - 1) if not is_end(analysis, row)] + rows
    return tuple(token(analysis, row) for row in rows)
