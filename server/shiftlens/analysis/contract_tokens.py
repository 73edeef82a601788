"""One position as JSON; what the fields mean stands in `contract`."""

from __future__ import annotations

import math

from shiftlens.analysis.aligntds import measures_at, shown_text
from shiftlens.analysis.json_values import Json, class_name, finite, loss_mask_value, rank_json
from shiftlens.analysis.model import ANSWER, Candidate, ResponseAnalysis, Token, TokenSide
from shiftlens.analysis.ranks import rank_number
from shiftlens.scores.columns import known_id
from shiftlens.scores.records import ScoredResponse


def token_json(token: Token, analysis: ResponseAnalysis, compat: str) -> Json:
    """The object of one position."""
    scored = analysis.scored
    pair = scored if isinstance(scored, ScoredResponse) else None
    names_id = pair is not None and pair.comparison.alignment is not None
    sides = {
        "base": None if token.base is None else _side(token.base, token, names_id=names_id),
        "aligned": _side(token.aligned, token),
    }
    found: Json = {
        "index": token.index,
        "id": known_id(token.id),
        "text": token.text,
        "start": token.start,
        "end": token.end,
        "class": class_name(token.shift),
        "kind": token.kind.label,
        "boundary": None if pair is None else token.boundary,
        "special": None if pair is None else token.special,
        "off_greedy": None if pair is None and token.aligned.rank is None else token.off_greedy,
        **sides,
        "base_rank_of_aligned_top": rank_number(token.base_rank_of_aligned_top),
        "kl": finite(token.kl),
        "jaccard@10": finite(token.jaccard),
    }
    if token.part != ANSWER:
        found["part"] = token.part
    if token.loss_mask is not None:
        found["loss_mask"] = loss_mask_value(token.loss_mask)
    if token.is_end:
        found["end_of_response"] = True
    if token.realigned is not None:
        found["realigned"] = {
            "first": token.realigned.first,
            "last": token.realigned.end - 1,
            "base_tokens": token.realigned.base_tokens,
            "base_logprob": finite(token.realigned.base_logprob),
        }
    if token.shortened:
        found["context"] = "shortened"
        for side in token.shortened:
            found[side] = {**(sides[side] or {}), "context": "shortened"}
    if not _is_text(token.piece):
        found["bytes"] = token.piece.hex()
    if compat == "aligntds" and pair is not None:
        numbers = {name: finite(value) for name, value in measures_at(pair, token.index).items()}
        found["aligntds"] = {**numbers, "token": shown_text(pair, token.index)}
    return found


def _side(side: TokenSide, token: Token, *, names_id: bool = False) -> Json:
    own: Json = {"id": side.id if side.id is None else known_id(side.id)} if names_id or side.id != token.id else {}
    return {
        **own,
        **rank_json(side.rank),
        "logprob": finite(side.logprob),
        "prob": finite(math.exp(side.logprob)),
        "entropy": finite(side.entropy),
        "missing_mass": finite(side.missing_mass),
        "top": [_candidate(candidate) for candidate in side.top],
        **({"other_top": [_candidate(candidate) for candidate in side.other_top]} if side.other_top else {}),
    }


def _candidate(candidate: Candidate) -> Json:
    found: Json = {
        "id": known_id(candidate.id),
        "text": candidate.piece.decode("utf-8", "replace"),
        "prob": finite(candidate.prob),
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
