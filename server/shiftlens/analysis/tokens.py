"""One position of a response at a time, put together from the columns on request."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shiftlens.analysis.model import Candidate, Realigned, ResponseAnalysis, ShiftClass, Token, TokenSide
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.scores.columns import (
    SHORTENED_ALIGNED,
    SHORTENED_BASE,
    ScoredResponse,
    SideColumns,
    float32,
    int32,
)

JACCARD_AT = 10


def token(analysis: ResponseAnalysis, row: int) -> Token:
    """Everything known of a row. Constant time in the length of the response. Raises IndexError."""
    scored = analysis.scored
    if not 0 <= row < scored.rows:
        raise IndexError(f"no row {row} among {scored.rows}")
    begin = analysis.text_ends[row - 1] if row else 0
    at_end = analysis.has_end and row == scored.rows - 1
    own = int32(scored.ids)[row]
    base_own = own if scored.own_tokens is None else int32(scored.own_tokens.ids)[row]
    base = _side(scored, scored.base, row, scored.base.end_id if at_end else base_own)
    aligned = _side(scored, scored.aligned, row, scored.aligned.end_id if at_end else own)
    return Token(
        index=row,
        id=own,
        piece=scored.pieces.get(own, b""),
        text=analysis.text[begin : analysis.text_ends[row]],
        start=analysis.starts[row],
        end=analysis.ends[row],
        shift=ShiftClass(analysis.classes[row]),
        special=bool(scored.special[row]),
        boundary=bool(scored.boundary[row]),
        off_greedy=bool(analysis.off_greedy[row]),
        is_end=at_end,
        base=base,
        aligned=aligned,
        base_rank_of_aligned_top=int32(scored.base_rank_of_aligned_top)[row],
        kl=float32(scored.kl)[row],
        jaccard=jaccard(base, aligned, by_bytes=scored.own_tokens is not None),
        shortened=shortened(scored, row),
        realigned=realigned(scored, row),
        part=analysis.part_at(row),
        kind=TokenKind(analysis.kinds[row]) if analysis.kinds else TokenKind.CONTENT,
    )


def shortened(scored: ScoredResponse, row: int) -> tuple[str, ...]:
    """The sides, "base" and "aligned", that did not see the whole context at a row."""
    flags = scored.shortened[row] if scored.shortened else 0
    return tuple(name for name, flag in (("base", SHORTENED_BASE), ("aligned", SHORTENED_ALIGNED)) if flags & flag)


def is_realigned(scored: ScoredResponse, row: int) -> bool:
    """Whether a row is not exactly one token of the base model."""
    return scored.own_tokens is not None and int32(scored.own_tokens.ids)[row] < 0


def realigned(scored: ScoredResponse, row: int) -> Realigned | None:
    """The group of a row that is not exactly one token of the base model."""
    own = scored.own_tokens
    if own is None or not is_realigned(scored, row):
        return None
    firsts = int32(own.first)
    end = row + 1
    while end < len(firsts) and firsts[end] == firsts[row]:
        end += 1
    return Realigned(firsts[row], end, int32(own.base_tokens)[row], float32(own.logprob)[row])


def tokens(analysis: ResponseAnalysis) -> Iterator[Token]:
    """All rows in order."""
    return (token(analysis, row) for row in range(analysis.scored.rows))


def jaccard(base: TokenSide, aligned: TokenSide, *, by_bytes: bool = False) -> float:
    """Jaccard@10: of the tokens in either first-10 list, the part that is in both; not a number without lists.

    Tokens are the same where their ids are; `by_bytes`, for two vocabularies, where their bytes are.
    """
    first, second = (
        {candidate.piece if by_bytes else candidate.id for candidate in side.top[:JACCARD_AT]}
        for side in (base, aligned)
    )
    if not first or not second:
        return math.nan
    either = len(first | second)
    return len(first & second) / either if either else 1.0


def _side(scored: ScoredResponse, side: SideColumns, row: int, own: int) -> TokenSide:
    at = row * scored.k
    ids = int32(side.top_ids)[at : at + scored.k]
    logprobs = float32(side.top_logprobs)[at : at + scored.k]
    return TokenSide(
        id=own,
        rank=int32(side.rank)[row],
        logprob=float32(side.logprob)[row],
        entropy=float32(side.entropy)[row],
        top=tuple(
            Candidate(candidate, scored.pieces.get(candidate, b""), math.exp(logprob))
            for candidate, logprob in zip(ids, logprobs, strict=True)
            if candidate >= 0
        ),
    )
