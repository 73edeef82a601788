"""Document symbols and folding ranges: the conversations, turns and responses of a file, with or without scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lsprotocol import types

from shiftlens.analysis.parts import part_name
from shiftlens.analysis.words import part_words
from shiftlens.lsp.documents.open import span_range
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.lenses import shares_words
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.visible import one_line
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Transcript, Turn

_LONGEST_NAME = 60
# What is looked at of a long text for its first line.
_LONGEST_LOOK = 400

_Span = tuple[int, int]


def document_symbols(
    transcript: Transcript, analysis: DocumentAnalysis | None, lines: LineIndex, unit: Unit
) -> list[types.DocumentSymbol]:
    """A symbol for each turn, in one for its conversation where the file holds several.

    A response is a turn of the kind Function, so that it stands out among those of the kind String, and says its number
    in the file, its label, and the shares by class where `analysis`, of the same text, has scores. Parts of a turn that
    has several are symbols in it. A turn of which nothing stands in the file has no symbol.
    """
    namer = _Namer(transcript, analysis, lines, unit)
    conversations = [
        (number, turns, tuple(namer.turns(number, turns))) for number, turns in enumerate(transcript.conversations)
    ]
    if len(conversations) == 1:
        return list(conversations[0][2])
    return [namer.conversation(number, turns, symbols) for number, turns, symbols in conversations if symbols]


def flat_symbols(uri: str, symbols: Sequence[types.DocumentSymbol]) -> list[types.SymbolInformation]:
    """The same for clients that know no symbols within symbols."""
    return list(_flat(uri, symbols, None))


def folding_ranges(transcript: Transcript, lines: LineIndex, limit: int | None = None) -> list[types.FoldingRange]:
    """Lines to fold: conversations, turns, and the parts of a turn that has several; each of at least two lines.

    Of the same lines, one fold. With more than `limit`, those of parts give way first, then those of turns.
    """
    conversations = [span for turns in transcript.conversations if (span := _span_of(turns)) is not None]
    turns = [turn for conversation in transcript.conversations for turn in conversation if turn.parts]
    parts = [part for turn in turns if len(turn.parts) > 1 for part in turn.parts]
    spans: list[_Span] = [
        *(conversations if len(conversations) > 1 else ()),
        *((turn.source_start, turn.source_end) for turn in turns),
        *((part.source.source_start, part.source.source_end) for part in parts),
    ]
    folds = dict.fromkeys(_lines_of(lines, span) for span in spans)
    kept = [fold for fold in folds if fold[0] < fold[1]][:limit]
    return [
        types.FoldingRange(start_line=first, end_line=last)
        for first, last in sorted(kept, key=lambda fold: (fold[0], -fold[1]))
    ]


def _lines_of(lines: LineIndex, span: _Span) -> tuple[int, int]:
    start, end = span
    return lines.line_of(start), lines.line_of(max(start, end - 1))


def _span_of(turns: Sequence[Turn]) -> _Span | None:
    placed = [turn for turn in turns if turn.parts]
    if not placed:
        return None
    return min(turn.source_start for turn in placed), max(turn.source_end for turn in placed)


class _Namer:
    """Makes symbols of what one transcript holds."""

    def __init__(self, transcript: Transcript, analysis: DocumentAnalysis | None, lines: LineIndex, unit: Unit) -> None:
        self._responses: Mapping[tuple[int, int], Response] = {
            (response.conversation, response.turn_index): response for response in transcript.responses
        }
        self._analysis, self._lines, self._unit = analysis, lines, unit

    def conversation(
        self, number: int, turns: Sequence[Turn], symbols: Sequence[types.DocumentSymbol]
    ) -> types.DocumentSymbol:
        asked = next((turn for turn in turns if turn.role is Role.USER), turns[0])
        name = _name(f"conversation {number + 1}", _first_words(asked))
        return self._symbol(name, types.SymbolKind.Module, _span_of(turns) or (0, 0), children=symbols)

    def turns(self, conversation: int, turns: Sequence[Turn]) -> Iterator[types.DocumentSymbol]:
        for index, turn in enumerate(turns):
            if not turn.parts:
                continue
            response = self._responses.get((conversation, index))
            role = turn.role.value if turn.role is Role.ASSISTANT or not turn.name else f"{turn.role.value} {turn.name}"
            yield self._symbol(
                _name(one_line(role, _LONGEST_NAME), _first_words(turn)),
                types.SymbolKind.String if response is None else types.SymbolKind.Function,
                (turn.source_start, turn.source_end),
                detail=None if response is None else self._detail(response),
                children=tuple(self._parts(turn)),
            )

    def _parts(self, turn: Turn) -> Iterator[types.DocumentSymbol]:
        parts = [part for part in turn.parts if part.text]
        for part in parts if len(parts) > 1 else ():
            span = (part.source.source_start, part.source.source_end)
            yield self._symbol(_name(_part_words(part), _line(part.text)), types.SymbolKind.String, span)

    def _detail(self, response: Response) -> str:
        words = [f"response {response.index + 1}"]
        if response.label:
            words.append(one_line(response.label, _LONGEST_NAME))
        result = self._analysis.results[response.index] if self._analysis is not None else None
        if result is not None and result.analysis is not None:
            words.append(shares_words(result.analysis, partial=result.partial))
        return " · ".join(words)

    def _symbol(
        self,
        name: str,
        kind: types.SymbolKind,
        span: _Span,
        *,
        detail: str | None = None,
        children: Sequence[types.DocumentSymbol] = (),
    ) -> types.DocumentSymbol:
        start, end = span
        past = self._lines.line_span(self._lines.line_of(start))[1]
        return types.DocumentSymbol(
            name=name,
            kind=kind,
            range=span_range(self._lines, start, end, self._unit),
            selection_range=span_range(self._lines, start, max(start, min(end, past)), self._unit),
            detail=detail,
            children=list(children),
        )


def _flat(
    uri: str, symbols: Sequence[types.DocumentSymbol], container: str | None
) -> Iterator[types.SymbolInformation]:
    for symbol in symbols:
        name = f"{symbol.name} ({symbol.detail})" if symbol.detail else symbol.name
        yield types.SymbolInformation(
            location=types.Location(uri, symbol.range), name=name, kind=symbol.kind, container_name=container
        )
        yield from _flat(uri, symbol.children or (), symbol.name)


def _name(who: str, words: str) -> str:
    return f"{who}: {words}" if words else who


def _first_words(turn: Turn) -> str:
    return _line(turn.text or next((part.text for part in turn.parts if part.text), ""))


def _line(text: str) -> str:
    return one_line(text[:_LONGEST_LOOK], _LONGEST_NAME)


def _part_words(part: Part) -> str:
    if part.kind is PartKind.TOOL_CALL and part.call is not None and part.call.name:
        return f"tool call {one_line(part.call.name, _LONGEST_NAME)}"
    return part_words(part_name(part.kind))
