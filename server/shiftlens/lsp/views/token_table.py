"""The answer to `shiftlens/tokens`: every token that a document shows, as columns of plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shiftlens.analysis.highlights import highlights, position_at, positions_at
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.tokens import base_logprobs, kl_of_positions
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.semantic_tokens import TOKEN_TYPES
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits

Json = dict[str, object]


class TokenRow(NamedTuple):
    """A span of the analysed text, its class, KL(aligned || base) in nats, and the base model's probability.

    Numbers that are not known are not a number.
    """

    start: int
    end: int
    shift: ShiftClass
    kl: float
    base_prob: float


def token_rows(analysis: ResponseAnalysis) -> Iterator[TokenRow]:
    """One row for each highlight that has a class or a number; where several tokens share a character, the greatest KL
    and the least probability, if those of all are known."""
    kl = kl_of_positions(analysis.scored)
    logprob = base_logprobs(analysis.scored)
    for item in highlights(analysis):
        row = position_at(analysis, item.start)
        rows = positions_at(analysis, item.end - 1) if row is None or analysis.cuts[row] else range(row, row + 1)
        if rows:
            most = _of_all(max, [kl[index] for index in rows])
            prob = math.exp(_of_all(min, [logprob[index] for index in rows]))
            if item.shift is not ShiftClass.UNKNOWN or math.isfinite(most) or math.isfinite(prob):
                yield TokenRow(item.start, item.end, item.shift, most, prob)


def _of_all(which: Callable[[list[float]], float], values: list[float]) -> float:
    """Not a number where one of them is none: comparing with that has no order."""
    return math.nan if any(map(math.isnan, values)) else which(values)


def token_table(analysis: DocumentAnalysis, edits: Edits, lines: LineIndex, unit: Unit) -> Json:
    """Columns of equal length: `ranges` holds line, start and end of each (so three numbers), columns in `unit`.

    A token that spans lines has a row on each of them; a token that an edit touched has none. `classes` are indices
    into `legend`, null where the class is not known; `kl` is in nats, `baseProb` a probability; null where a number is
    not finite.
    """
    ranges: list[int] = []
    classes: list[int | None] = []
    kl: list[float | None] = []
    base_prob: list[float | None] = []
    for result in analysis.results:
        for row in token_rows(result.analysis) if result.analysis is not None else ():
            span = edits.span_to_new(row.start, row.end)
            for place in _on_lines(lines, *span, unit) if span is not None else ():
                ranges += place
                classes.append(None if row.shift is ShiftClass.UNKNOWN else TOKEN_TYPES.index(row.shift.label))
                kl.append(_rounded(row.kl))
                base_prob.append(_rounded(row.base_prob))
    return {"legend": list(TOKEN_TYPES), "ranges": ranges, "classes": classes, "kl": kl, "baseProb": base_prob}


def _on_lines(lines: LineIndex, start: int, end: int, unit: Unit) -> Iterator[tuple[int, int, int]]:
    for line in range(lines.line_of(start), lines.line_of(end - 1) + 1):
        first, past = lines.line_span(line)
        first, past = max(start, first), min(end, past)
        if first < past:
            yield line, lines.position(first, unit)[1], lines.position(past, unit)[1]


def _rounded(value: float) -> float | None:
    """Four significant digits are more than a colour can show."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
