"""The numbers of a response as columns, from which the page's script makes a token's card.

Columns, because a table of twenty candidates for each token in HTML would be ten times the size.

    {"first": [...], "piece": [...], "class": [...], "facts": [{"kind", "before", "says": [...], "at": [...]}, ...],
     "hasEnd": bool, "alone": bool, "base": {...}, "aligned": {...}}
    side: {"k", "end", "rank": [...], "surprisal": [...], "entropy": [...], "others": [...], "own": [...],
           "top": [...], "topSurprisal": [...]}

- `first`: the row with which each span of the text begins; a span of several rows is a character split over tokens.
- `piece`, `top`, `end`: places in the report's list of pieces. `top` and `topSurprisal` have k entries for each row.
- `facts`: the sentences of `analysis.facts`, in the order in which a card tells them. A sentence is `before` and then
  that text of `says`, where each is once, whose place `at` has for the row; -1 where the row has no such fact.
- `rank` is in words: "above 20" where that is all there is to know.
- surprisals are -ln p in thousandths of a nat, so that a probability is good to a thousandth of itself; null is p = 0,
  and -1 is a p that is not known.
- In a pair of two vocabularies the base side has no surprisal for a row that is not exactly one of its tokens, and
  behind the first row of a group of such no entropy and no candidates (`top` is filled up).
- `alone`: the scores are of one model alone, which is "aligned" here; "base" is null then.
- `own`: the place of the response's token among the row's candidates, from 0; -1 where it is not among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from shiftlens.analysis.facts import KINDS, Fact, facts
from shiftlens.analysis.model import Analysis, Candidate, ResponseAnalysis, ShiftClass, Token, TokenSide, worst_class
from shiftlens.analysis.ranks import rank_words
from shiftlens.analysis.tokens import tokens
from shiftlens.analysis.words import part_words
from shiftlens.scores.records import ScoredResponse, SideScores
from shiftlens.text.visible import visible_piece

Json = dict[str, object]

_UNKNOWN = -1


@dataclass(slots=True)
class Pieces:
    """Token texts, each once in a report."""

    texts: list[str] = field(default_factory=list)
    _places: dict[bytes, int] = field(default_factory=dict)

    def place(self, piece: bytes) -> int:
        found = self._places.get(piece)
        if found is None:
            found = self._places[piece] = len(self.texts)
            self.texts.append(visible_piece(piece))
        return found


@dataclass(frozen=True, slots=True)
class Span:
    """A run of the response's text with one look: a token, or a character that several tokens share."""

    text: str
    shift: ShiftClass
    flagged: bool
    is_end: bool
    heading: str = ""
    """The name of the part that begins with the span, in a response of several."""


def spans(analysis: ResponseAnalysis) -> list[Span]:
    """The spans of a response in order."""
    return [span for span, _ in spans_of_rows(analysis, list(tokens(analysis)))]


def spans_of_rows(analysis: ResponseAnalysis, rows: Sequence[Token]) -> list[tuple[Span, int]]:
    """The spans of all rows of a response in order, each with the number of its rows."""
    groups = _groups(analysis, rows)
    return [(span, len(group)) for span, group in zip(_spans(analysis, groups), groups, strict=True)]


def spans_and_scores(
    analysis: ResponseAnalysis, rows: Sequence[Token], of: Analysis, pieces: Pieces
) -> tuple[list[Span], Json]:
    """The spans of a response of `of` in order, and its columns. `rows` are all of its tokens; what a piece says goes
    into `pieces`."""
    groups = _groups(analysis, rows)
    return _spans(analysis, groups), {
        "first": [group[0].index for group in groups],
        "piece": [pieces.place(row.piece) for row in rows],
        "class": [int(row.shift) for row in rows],
        "facts": _facts([fact for group in groups for fact in _facts_of(group, analysis, of)]),
        "hasEnd": analysis.has_end,
        "alone": analysis.is_of_one_model,
        "base": _base(analysis, rows, pieces),
        "aligned": _side(analysis.scored.aligned, [row.aligned for row in rows], pieces),
    }


def _spans(analysis: ResponseAnalysis, groups: Sequence[Sequence[Token]]) -> list[Span]:
    of_parts = analysis.summary.is_of_parts
    headings = {part.first: part_words(part.kind) for part in analysis.parts if part.end > part.first}
    return [
        Span(
            "".join(row.text for row in group),
            worst_class(row.shift for row in group),
            any(row.boundary or row.realigned is not None for row in group),
            group[0].is_end,
            next((headings[row.index] for row in group if row.index in headings), "") if of_parts else "",
        )
        for group in groups
    ]


def _groups(analysis: ResponseAnalysis, rows: Sequence[Token]) -> list[list[Token]]:
    """Rows by span: one that ends inside a character has the rows behind it that hold the rest of it."""
    groups: list[list[Token]] = []
    within = False
    for row in rows:
        if within and not row.is_end:
            groups[-1].append(row)
        else:
            groups.append([row])
        within = bool(analysis.cuts[row.index])
    return groups


def _facts_of(group: Sequence[Token], analysis: ResponseAnalysis, of: Analysis) -> list[tuple[Fact, ...]]:
    # Where text begins at a row between, the group is of more than one character.
    character = () if any(row.text for row in group[1:-1]) else group
    return [facts(row, analysis, of.transcript, of.score_options, character) for row in group]


def _facts(rows: Sequence[Sequence[Fact]]) -> list[Json]:
    """The facts of all rows as columns, one for all facts that begin alike."""
    columns: dict[tuple[int, str], tuple[dict[str, int], list[int]]] = {}
    for index, row in enumerate(rows):
        for fact in row:
            before = fact.sentence.removesuffix(fact.text)
            says, at = columns.setdefault((KINDS.index(fact.kind), before), ({}, [-1] * len(rows)))
            at[index] = says.setdefault(fact.text, len(says))
    # Sorted by kind; those of a kind stay in the order in which they came.
    ordered = sorted(columns.items(), key=lambda column: column[0][0])
    return [
        {"kind": KINDS[kind], "before": before, "says": list(says), "at": at} for (kind, before), (says, at) in ordered
    ]


def _base(analysis: ResponseAnalysis, rows: Sequence[Token], pieces: Pieces) -> Json | None:
    scored = analysis.scored
    if not isinstance(scored, ScoredResponse):
        return None
    return _side(scored.base, [row.base for row in rows if row.base is not None], pieces)


def _side(scores: SideScores, sides: Sequence[TokenSide], pieces: Pieces) -> Json:
    none = (Candidate(-1, b"", 0.0),) * scores.k
    tops = [(*side.top, *none)[: scores.k] for side in sides]
    return {
        "k": scores.k,
        "end": pieces.place(scores.pieces.get(scores.end_id, b"")),
        "rank": [rank_words(side.rank) for side in sides],
        "surprisal": [_surprisal(side.logprob) for side in sides],
        "entropy": [_rounded(side.entropy) for side in sides],
        "others": [_surprisal(_log(side.missing_mass)) for side in sides],
        "own": [_own(side) for side in sides],
        "top": [pieces.place(candidate.piece) for top in tops for candidate in top],
        "topSurprisal": [_surprisal(_log(candidate.prob)) for top in tops for candidate in top],
    }


def _own(side: TokenSide) -> int:
    return next((place for place, candidate in enumerate(side.top) if candidate.id == side.id), -1)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 or math.isnan(probability) else -math.inf


def _surprisal(logprob: float) -> int | None:
    if math.isnan(logprob):
        return _UNKNOWN
    return max(0, round(-1000 * logprob)) if math.isfinite(logprob) else None


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
