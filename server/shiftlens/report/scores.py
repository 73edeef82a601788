"""The numbers of a response as columns, from which the page's script makes a token's card.

Columns, because a table of twenty candidates for each token in HTML would be ten times the size.

    {"first": [...], "piece": [...], "class": [...], "flags": [...], "kl": [...], "jaccard": [...], "topRank": [...],
     "realigned": [...], "part": [...], "reference": [...], "hasEnd": bool, "base": {...}, "aligned": {...}}
    side: {"k", "vocabulary", "end", "rank": [...], "surprisal": [...], "entropy": [...], "others": [...], "own": [...],
           "top": [...], "topSurprisal": [...]}

- `first`: the row with which each span of the text begins; a span of several rows is a character split over tokens.
- `piece`, `top`, `end`: places in the report's list of pieces. `top` and `topSurprisal` have k entries for each row.
- `flags`: 1 special, 2 boundary, 4 off greedy. `topRank` is the base rank of the aligned model's first choice.
- surprisals are -ln p in thousandths of a nat, so that a probability is good to a thousandth of itself; null is p = 0.
- In a pair of two vocabularies `kl` is null, as is `topRank` where that token is not one of the base model's, and
  `realigned` has a sentence for each row that is not exactly one token of the base model (else null); the base side
  has no surprisal there, and behind the first row of such a group no entropy and no candidates (`top` is filled up).
- `part` names each row's part of the response, and is empty where all is one answer; `reference` has a sentence with
  the numbers of AlignTDS for each row, and is empty where they were not asked for.
- `own`: the place of the response's token among the row's candidates, from 0; -1 where it is not among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from shiftlens.analysis.model import Candidate, ResponseAnalysis, ShiftClass, Token, TokenSide
from shiftlens.analysis.tokens import tokens
from shiftlens.analysis.words import aligntds_words, part_words, realigned_words
from shiftlens.scores.columns import SideColumns
from shiftlens.text.visible import visible_piece

Json = dict[str, object]


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


def spans_and_scores(analysis: ResponseAnalysis, pieces: Pieces, *, compat: str = "") -> tuple[list[Span], Json]:
    """The response's spans in order, and its columns. What a piece says goes into `pieces`."""
    rows = list(tokens(analysis))
    groups = _groups(analysis, rows)
    of_parts = analysis.summary.is_of_parts
    headings = {part.first: part_words(part.kind) for part in analysis.parts if part.end > part.first}
    spans = [
        Span(
            "".join(row.text for row in group),
            max(row.shift for row in group),
            any(row.boundary or row.realigned is not None for row in group),
            group[0].is_end,
            next((headings[row.index] for row in group if row.index in headings), "") if of_parts else "",
        )
        for group in groups
    ]
    return spans, {
        "first": [group[0].index for group in groups],
        "piece": [pieces.place(row.piece) for row in rows],
        "class": [int(row.shift) for row in rows],
        "flags": [row.special | row.boundary << 1 | row.off_greedy << 2 for row in rows],
        "kl": [_rounded(row.kl) for row in rows],
        "jaccard": [_rounded(row.jaccard) for row in rows],
        "topRank": [row.base_rank_of_aligned_top or None for row in rows],
        "realigned": [realigned_words(row.realigned) if row.realigned is not None else None for row in rows]
        if analysis.scored.own_tokens is not None
        else [],
        "part": [part_words(row.part) for row in rows] if of_parts else [],
        "reference": [aligntds_words(analysis.scored, row.index) for row in rows] if compat == "aligntds" else [],
        "hasEnd": analysis.has_end,
        "base": _side(analysis, analysis.scored.base, [row.base for row in rows], pieces),
        "aligned": _side(analysis, analysis.scored.aligned, [row.aligned for row in rows], pieces),
    }


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


def _side(analysis: ResponseAnalysis, columns: SideColumns, sides: Sequence[TokenSide], pieces: Pieces) -> Json:
    none = (Candidate(-1, b"", 0.0),) * analysis.scored.k
    tops = [side.top or none for side in sides]
    return {
        "k": analysis.scored.k,
        "vocabulary": columns.vocabulary,
        "end": pieces.place(analysis.scored.pieces.get(columns.end_id, b"")),
        "rank": [side.rank for side in sides],
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
    return math.log(probability) if probability > 0 else -math.inf


def _surprisal(logprob: float) -> int | None:
    return round(-1000 * logprob) if math.isfinite(logprob) else None


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
