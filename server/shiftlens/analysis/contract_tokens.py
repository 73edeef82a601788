"""One position as JSON; what the fields mean stands in `contract`."""

from __future__ import annotations

import math

from shiftlens.analysis.aligntds import measures_at, shown_text
from shiftlens.analysis.model import ANSWER, Candidate, ResponseAnalysis, Token, TokenSide
from shiftlens.scores.columns import OwnTokens

Json = dict[str, object]


def token_json(token: Token, analysis: ResponseAnalysis, compat: str) -> Json:
    """The object of one position."""
    sides = {"base": _side(token.base, token), "aligned": _side(token.aligned, token)}
    if analysis.scored.own_tokens is not None:
        sides["base"] = _with_own_ids(sides["base"], token.base, analysis.scored.own_tokens)
    found: Json = {
        "index": token.index,
        "id": token.id,
        "text": token.text,
        "start": token.start,
        "end": token.end,
        "class": token.shift.label,
        "kind": token.kind.label,
        "boundary": token.boundary,
        "special": token.special,
        "off_greedy": token.off_greedy,
        **sides,
        "base_rank_of_aligned_top": token.base_rank_of_aligned_top or None,
        "kl": _number(token.kl),
        "jaccard@10": _number(token.jaccard),
    }
    if token.part != ANSWER:
        found["part"] = token.part
    if token.is_end:
        found["end_of_response"] = True
    if token.realigned is not None:
        found["realigned"] = {
            "first": token.realigned.first,
            "last": token.realigned.end - 1,
            "base_tokens": token.realigned.base_tokens,
            "base_logprob": _number(token.realigned.base_logprob),
        }
    if token.shortened:
        found["context"] = "shortened"
        for side in token.shortened:
            found[side] = {**sides[side], "context": "shortened"}
    if not _is_text(token.piece):
        found["bytes"] = token.piece.hex()
    if compat == "aligntds":
        numbers = {name: _number(value) for name, value in measures_at(analysis.scored, token.index).items()}
        found["aligntds"] = {**numbers, "token": shown_text(analysis.scored, token.index)}
    return found


def _side(side: TokenSide, token: Token) -> Json:
    own: Json = {"id": side.id} if side.id != token.id else {}
    return {
        **own,
        "rank": side.rank,
        "logprob": _number(side.logprob),
        "prob": _number(math.exp(side.logprob)),
        "entropy": _number(side.entropy),
        "missing_mass": _number(side.missing_mass),
        "top": [_candidate(candidate) for candidate in side.top],
    }


def _with_own_ids(side: Json, of: TokenSide, own: OwnTokens) -> Json:
    """With the base model's own ids: -1 is for none, and the others stand for bytes."""
    ids = own.base_ids
    top = [{**_candidate(candidate), "id": ids.get(candidate.id)} for candidate in of.top]
    return {**side, "id": ids.get(of.id), "top": top}


def _candidate(candidate: Candidate) -> Json:
    found: Json = {
        "id": candidate.id,
        "text": candidate.piece.decode("utf-8", "replace"),
        "prob": _number(candidate.prob),
    }
    if not _is_text(candidate.piece):
        found["bytes"] = candidate.piece.hex()
    return found


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
