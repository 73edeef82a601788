"""Document highlights: where the token at a position stands elsewhere in the responses of the file."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from shiftlens.analysis.highlights import span_of
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass, Token, worst_class
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import span_range
from shiftlens.text.lines import LineIndex, Unit

# The protocol has three kinds, which editors show in colours of their own: the strongest for what is shifted.
_KINDS = {
    ShiftClass.SHIFTED: types.DocumentHighlightKind.Write,
    ShiftClass.MARGINAL: types.DocumentHighlightKind.Read,
}


def occurrences(place: Place, lines: LineIndex, unit: Unit) -> list[types.DocumentHighlight]:
    """Every token of the file's scored responses with the id of the (first) token at a place, itself among them.

    None where there is no token with text. The kind is by class: Write is shifted, Read marginal, Text any other.
    """
    item = next((item for item in place.tokens if not item.is_end and item.piece), None)
    if item is None:
        return []
    found: dict[tuple[int, int], ShiftClass] = {}
    for result in place.analysis.results:
        if result.analysis is None:
            continue
        for row in _rows_of(item, result.analysis):
            span = place.edits.span_to_new(*span_of(result.analysis, row, row + 1))
            if span is not None:
                found[span] = worst_class(
                    (found.get(span, ShiftClass.UNSHIFTED), ShiftClass(result.analysis.classes[row]))
                )
    return [
        types.DocumentHighlight(
            range=span_range(lines, *span, unit), kind=_KINDS.get(shift, types.DocumentHighlightKind.Text)
        )
        for span, shift in sorted(found.items())
    ]


def _rows_of(item: Token, analysis: ResponseAnalysis) -> Iterator[int]:
    ids = analysis.scored.ids
    return (row for row in range(analysis.token_count) if ids[row] == item.id)
