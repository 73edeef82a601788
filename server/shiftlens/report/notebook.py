"""An analysis as a notebook shows it: the report's coloured responses as HTML that needs no script and no style sheet.

Looks stand with each token, since notebooks drop style sheets and scripts of what they have not run themselves. What a
token's distributions say stands in its tooltip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiftlens.analysis.classify import shares
from shiftlens.analysis.contract import prompt_of
from shiftlens.analysis.facts import base_choice, fixed, rank_facts
from shiftlens.analysis.model import CLASSES, Analysis, ResponseAnalysis, ShiftClass, Summary, Token
from shiftlens.analysis.tokens import tokens
from shiftlens.analysis.words import positions_words, turn_words
from shiftlens.report.scores import Span, spans_of_rows
from shiftlens.report.sections import labels_of, shown
from shiftlens.report.templates import template
from shiftlens.text.visible import harmless_name, one_line, visible_piece

MOST_POSITIONS = 20_000
"""How many positions are shown; a cell of more would make a notebook too large to be opened."""
_LONGEST_QUERY = 200
_LONGEST_TOKEN = 40

# Readable on a light and on a dark ground, since a notebook does not say which it has; not by colour alone.
_STYLES = {
    ShiftClass.UNSHIFTED: "",
    ShiftClass.MARGINAL: "color: #a86b00; text-decoration: underline",
    ShiftClass.SHIFTED: "color: #d0342c; font-weight: bold; text-decoration: underline",
    ShiftClass.UNKNOWN: "opacity: 0.6",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a response with its look and its tooltip, and the heading of the part that begins with it."""

    text: str
    style: str
    says: str
    heading: str


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """A response as the template shows it."""

    number: int
    turn: str
    query: str
    told: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def notebook_html(analysis: Analysis, most_positions: int = MOST_POSITIONS) -> str:
    """A fragment of HTML. Responses are shown until `most_positions` are reached; what is not shown is told of."""
    responses: list[ShownResponse] = []
    positions = 0
    for found in analysis.responses:
        if responses and positions + found.scored.rows > most_positions:
            break
        positions += found.scored.rows
        responses.append(_response(found, analysis))
    alone = bool(responses) and all(found.is_of_one_model for found in analysis.responses)
    hidden = len(analysis.responses) - len(responses)
    count = f"{hidden:,} more response{'s are' if hidden > 1 else ' is'}"
    left_out = f"{count} not shown here; the summary is of all." if hidden else ""
    names = zip(("base", "aligned"), analysis.model_names, strict=True)
    models = ", ".join(f"{side} {harmless_name(name)}" for side, name in names if name is not None)
    return template("notebook.html.jinja").render(
        about=f"{models}. {_told(analysis.summary, labels_of(alone=alone))}. {_legend(analysis, alone=alone)}",
        responses=responses,
        left_out=left_out,
    )


def _legend(analysis: Analysis, *, alone: bool) -> str:
    low, high = analysis.classify_options.thresholds
    labels = labels_of(alone=alone)
    rank = "the model's own rank" if alone else "base rank"
    middle = f"underlined alone is {labels['marginal']}, {low + 1} to {high}; " if high > low else ""
    return (
        f"Bold and underlined is {labels['shifted']}, {rank} above {high}; {middle}the rest is {labels['unshifted']}."
    )


def _response(found: ResponseAnalysis, of: Analysis) -> ShownResponse:
    rows = list(tokens(found))
    parts, row = [], 0
    for span, size in spans_of_rows(found, rows):
        parts.append(_part(span, rows[row : row + size], found))
        row += size
    return ShownResponse(
        number=found.response.index + 1,
        turn=turn_words(found.response, of.transcript),
        query=one_line(prompt_of(found.response), _LONGEST_QUERY),
        told=_told(found.summary, labels_of(alone=found.is_of_one_model)),
        parts=tuple(parts),
        notes=found.notes,
    )


def _part(span: Span, rows: Sequence[Token], found: ResponseAnalysis) -> Part:
    said = "; ".join(_says(row, found) for row in rows)
    return Part(shown(span).text, _STYLES[span.shift], said, span.heading)


def _says(row: Token, found: ResponseAnalysis) -> str:
    name = "end of the response" if row.is_end else visible_piece(row.piece, limit=_LONGEST_TOKEN)
    label = "class unknown" if row.shift is ShiftClass.UNKNOWN else row.label
    facts = ", ".join(fact.words for fact in rank_facts(row, found.scored))
    best = base_choice(row)
    whose = "the model's" if row.base is None else "the base's"
    would = f", {whose} first choice {best}" if best is not None else ""
    flags = ", boundary" if row.boundary else ""
    distance = "" if row.base is None else f", KL {fixed(row.kl, 3)} nats"
    return f"{name}: {label}{flags}, {facts}{would}{distance}"


def _told(summary: Summary, labels: Mapping[str, str]) -> str:
    found = shares(summary)
    told = ", ".join(f"{found.percent(shift)} {labels[shift.label]}" for shift in reversed(CLASSES))
    unknown = f", {summary.unknown:,} without a class" if summary.unknown else ""
    return f"{positions_words(summary.tokens)}: {told}{unknown}"
