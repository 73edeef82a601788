"""What stands at a position of a document: the response, its result and its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types

from shiftlens.analysis.highlights import positions_at
from shiftlens.analysis.model import ResponseAnalysis, Token
from shiftlens.analysis.parts import part_name
from shiftlens.analysis.tokens import token
from shiftlens.lsp.documents.open import OpenDocument, offset
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.text.edits import Edit
from shiftlens.text.lines import Unit
from shiftlens.text.trail import Edits
from shiftlens.transcripts.model import Part, Response, Transcript


@dataclass(frozen=True, slots=True)
class Place:
    """A response and the tokens at an offset of it.

    `tokens` are those that touch the character there, in order, and behind the last character also the end. They are
    none where the response has no scores there (yet). `edits` lead from the analysed text to the present one.
    `left_out` is the kind of a part that is not scored, where the offset is in one.
    """

    analysis: DocumentAnalysis
    index: int
    result: ResponseResult
    tokens: tuple[Token, ...]
    edits: Edits
    left_out: str = ""

    @property
    def response(self) -> Response:
        return self.analysis.transcript.responses[self.index]

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
    index = _response_at(analysis.transcript, at)
    if index is None:
        return None
    result = analysis.results[index]
    tokens = () if touched or result.analysis is None else _tokens_at(result.analysis, at)
    if not tokens and not touched and result.analysis is not None:
        left_out = _left_out_at(result.analysis, at)
        if left_out:
            return Place(analysis, index, result, (), edits, left_out)
        if result.is_final:
            return None
    return Place(analysis, index, result, tokens, edits)


def is_in_response(document: OpenDocument, position: types.Position, unit: Unit) -> bool:
    """Whether a response of the transcript as last read is there, scored or not."""
    parsed = document.parsed
    if parsed is None or parsed.transcript is None:
        return False
    at = Edit.between(parsed.text, document.text).offset_to_old(offset(document.lines, position, unit))
    return at is not None and _response_at(parsed.transcript, at) is not None


def _response_at(transcript: Transcript, at: int) -> int | None:
    """The response with a part there, else the one whose turn reaches from before it to behind it."""
    around = None
    for index, response in enumerate(transcript.responses):
        if response.turn.source_start <= at <= response.turn.source_end:
            if any(_holds(part, at) for part in response.turn.parts):
                return index
            around = index if around is None else around
    return around


def _holds(part: Part, at: int) -> bool:
    return part.source.source_start <= at <= part.source.source_end


def _left_out_at(analysis: ResponseAnalysis, at: int) -> str:
    """The kind of the part there, where it is one that is not scored."""
    for index, part in enumerate(analysis.response.turn.parts):
        if index not in analysis.scored.parts and part.text and _holds(part, at):
            return part_name(part.kind)
    return ""


def _tokens_at(analysis: ResponseAnalysis, at: int) -> tuple[Token, ...]:
    rows = list(positions_at(analysis, at))
    last = analysis.scored.rows - 1
    at_end = analysis.has_end and at == analysis.ends[last]
    if (at_end or not rows) and _is_behind_a_part(analysis, at):
        # Behind the last character one may mean it as well as the end, or as what no token is.
        before = [row for row in positions_at(analysis, at - 1) if row != last or not analysis.has_end]
        rows = before + [row for row in rows if row not in before]
    if at_end and last not in rows:
        rows.append(last)
    return tuple(token(analysis, row) for row in rows)


def _is_behind_a_part(analysis: ResponseAnalysis, at: int) -> bool:
    parts = analysis.response.turn.parts
    return any(parts[index].text and parts[index].source.source_end == at for index in analysis.scored.parts)
