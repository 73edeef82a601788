"""One position of a response at a time, put together from the columns on request."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

from shiftlens.analysis.model import Candidate, Realigned, ResponseAnalysis, ShiftClass, Token, TokenSide
from shiftlens.analysis.ranks import worst_rank
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.scores.columns import NO_CANDIDATE, float32, int32, rank_of, uint32
from shiftlens.scores.records import AnyScores, Comparison, LossMask, ScoredResponse, SideScores

JACCARD_AT = 10

_NO_COMPARISON = Comparison(base_rank_of_aligned_top=b"", kl=b"", boundary=b"")


def token(analysis: ResponseAnalysis, row: int) -> Token:
    """Everything known of a position. Constant time in the length of the response. Raises IndexError."""
    scored = analysis.scored
    if not 0 <= row < scored.rows:
        raise IndexError(f"no row {row} among {scored.rows}")
    begin = analysis.text_ends[row - 1] if row else 0
    at_end = analysis.has_end and row == scored.rows - 1
    pair = scored if isinstance(scored, ScoredResponse) else None
    comparison = _NO_COMPARISON if pair is None else pair.comparison
    base, aligned = None if pair is None else base_side(pair, row), side_at(scored.aligned, row)
    if pair is not None and base is not None and comparison.alignment is None:
        base, aligned = (
            _with_others(base, scored.aligned, comparison.base_of_aligned_top, row),
            _with_others(aligned, pair.base, comparison.aligned_of_base_top, row),
        )
    ranks = int32(comparison.base_rank_of_aligned_top)
    return Token(
        index=row,
        id=scored.ids[row],
        piece=scored.piece(row),
        text=analysis.text[begin : analysis.text_ends[row]],
        start=analysis.starts[row],
        end=analysis.ends[row],
        shift=ShiftClass(analysis.classes[row]),
        special=bool(scored.aligned.special[row]),
        boundary=bool(comparison.boundary and comparison.boundary[row]),
        off_greedy=bool(analysis.off_greedy[row]),
        is_end=at_end,
        base=base,
        aligned=aligned,
        base_rank_of_aligned_top=rank_of(ranks[row]) if ranks else None,
        kl=float32(comparison.kl)[row] if comparison.kl else math.nan,
        jaccard=math.nan if base is None else jaccard(base, aligned, by_bytes=comparison.alignment is not None),
        shortened=shortened(scored, row),
        realigned=None if pair is None else realigned(pair, row),
        part=analysis.part_at(row),
        kind=TokenKind(analysis.kinds[row]) if analysis.kinds else TokenKind.CONTENT,
        loss_mask=LossMask(comparison.loss_mask[row]) if comparison.loss_mask else None,
    )


def base_side(scored: ScoredResponse, row: int) -> TokenSide:
    """What the base model gave for a position of the aligned model's tokens."""
    alignment = scored.comparison.alignment
    if alignment is None:
        return side_at(scored.base, row)
    rows = alignment.base_rows(row)
    if alignment.is_one_to_one(row):
        return side_at(scored.base, rows.start)
    ranks = int32(scored.base.rank)
    is_first = int32(alignment.first)[row] == row
    before = side_at(scored.base, rows.start)
    return TokenSide(
        id=None,
        rank=rank_of(worst_rank(ranks[at] for at in rows)),
        logprob=math.nan,
        entropy=before.entropy if is_first else math.nan,
        top=before.top if is_first else (),
    )


def base_logprobs(scored: AnyScores) -> Sequence[float]:
    """The base model's logprob of each position's token, not a number where that is not exactly one of its own, nor
    where there is no base model."""
    if not isinstance(scored, ScoredResponse):
        return [math.nan] * scored.rows
    logprobs, alignment = float32(scored.base.logprob), scored.comparison.alignment
    if alignment is None:
        return logprobs
    first = uint32(alignment.base_first)
    return [logprobs[first[row]] if alignment.is_one_to_one(row) else math.nan for row in range(scored.rows)]


def kl_of_positions(scored: AnyScores) -> Sequence[float]:
    """KL(aligned || base) of each position in nats, not a number where it is not known."""
    kl = scored.comparison.kl if isinstance(scored, ScoredResponse) else b""
    return float32(kl) if kl else [math.nan] * scored.rows


def side_at(side: SideScores, row: int) -> TokenSide:
    """What one model gave for a position of its own tokens."""
    at = row * side.k
    ids = int32(side.top_ids)[at : at + side.k]
    logprobs = float32(side.top_logprobs)[at : at + side.k]
    return TokenSide(
        id=int32(side.ids)[row],
        rank=rank_of(int32(side.rank)[row]),
        logprob=float32(side.logprob)[row],
        entropy=float32(side.entropy)[row] if side.entropy else math.nan,
        top=tuple(
            Candidate(candidate, side.pieces.get(candidate, b""), math.exp(logprob))
            for candidate, logprob in zip(ids, logprobs, strict=True)
            if candidate != NO_CANDIDATE
        ),
    )


def _with_others(side: TokenSide, other: SideScores, column: bytes, row: int) -> TokenSide:
    """A model's side with what it gives the candidates of the other one, which are in the column's places."""
    if not column:
        return side
    listed = {candidate.id for candidate in side.top}
    span = slice(row * other.k, (row + 1) * other.k)
    others = [
        Candidate(token, other.pieces.get(token, b""), math.exp(logprob))
        for token, logprob in zip(int32(other.top_ids)[span], float32(column)[span], strict=True)
        if token not in listed and not math.isnan(logprob)
    ]
    return dataclasses.replace(side, other_top=tuple(sorted(others, key=lambda each: -each.prob)))


def shortened(scored: AnyScores, row: int) -> tuple[str, ...]:
    """The sides, "base" and "aligned", that did not see the whole context at a position."""
    if not isinstance(scored, ScoredResponse):
        return ()
    alignment = scored.comparison.alignment
    base_row = row if alignment is None else alignment.base_rows(row).stop - 1
    rows = (("base", scored.base, base_row), ("aligned", scored.aligned, row))
    return tuple(name for name, side, at in rows if side.full_context_rows is not None and at >= side.full_context_rows)


def realigned(scored: ScoredResponse, row: int) -> Realigned | None:
    """The group of a position that is not exactly one token of the base model."""
    alignment = scored.comparison.alignment
    if alignment is None or alignment.is_one_to_one(row):
        return None
    rows = alignment.base_rows(row)
    logprobs = float32(scored.base.logprob)
    together = math.fsum(logprobs[at] for at in rows)
    return Realigned(int32(alignment.first)[row], alignment.end_of(row), len(rows), together)


def tokens(analysis: ResponseAnalysis) -> Iterator[Token]:
    """All positions in order."""
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
