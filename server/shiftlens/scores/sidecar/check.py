"""Whether scores of a file fit the response that they are said to be of, so that no view meets what can't be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shiftlens.scores.columns import float32, int32, uint32
from shiftlens.scores.records import Alignment, LossMask, ScoredResponse, SideScores
from shiftlens.scores.requests import ResponseToScore

MOST_CANDIDATES = 1000
_ROUNDING = 1e-3


def rows_at_most(request: ResponseToScore) -> int:
    """A generous bound of the rows of a response, those of both models of a pair of two vocabularies counted. A token
    may be empty, so that there may be more of them than bytes."""
    return 4 * sum(len(part.text.encode("utf-8", "surrogatepass")) for part in request.parts) + 64


def why_unfit(scored: ScoredResponse, request: ResponseToScore) -> str:
    """What is wrong with scores, to follow "its scores of this response"; "" where nothing is."""
    comparison = scored.comparison
    if scored.base.parts != scored.aligned.parts:
        return "are of other parts of it for each model"
    for side in (scored.base, scored.aligned):
        if why := _why_side_unfit(side, request):
            return why
    n = scored.rows
    if comparison.alignment is None and scored.base.rows != n:
        return "have more rows of one model than of the other"
    sizes = (len(comparison.base_rank_of_aligned_top), len(comparison.boundary))
    if sizes != (4 * n, n) or len(comparison.kl) not in (0, 4 * n) or len(comparison.loss_mask) not in (0, n):
        return "have columns of different lengths"
    if any(mark > max(LossMask) for mark in comparison.loss_mask):
        return "have a loss mask that is none"
    if any(math.isinf(value) for value in float32(comparison.kl)):
        return "have numbers that are none"
    for column, other in (
        (comparison.base_of_aligned_top, scored.aligned),
        (comparison.aligned_of_base_top, scored.base),
    ):
        if column and (comparison.alignment is not None or len(column) != 4 * n * other.k):
            return "have columns of different lengths"
        # What is not known is no number.
        if any(value > _ROUNDING for value in float32(column)):
            return "have logprobs that are none"
    if comparison.alignment is not None and not _is_alignment(comparison.alignment, n, scored.base.rows):
        return "align the tokens of the models in no possible way"
    return ""


def _why_side_unfit(side: SideScores, request: ResponseToScore) -> str:
    n, k = side.rows, side.k
    if not 0 <= k <= MOST_CANDIDATES:
        return "have an impossible number of candidates"
    columns = (side.ids, side.byte_ends, side.logprob, side.rank)
    lists = (side.top_ids, side.top_logprobs)
    if any(len(column) != 4 * n for column in columns) or any(len(each) != 4 * n * k for each in lists):
        return "have columns of different lengths"
    if len(side.special) != n or len(side.entropy) not in (0, 4 * n):
        return "have columns of different lengths"
    if not side.parts or any(not 0 <= at < len(request.parts) for at in side.parts):
        return "are of a part that it does not have"
    if list(side.parts) != sorted(set(side.parts)):
        return "are of its parts in another order"
    size = sum(len(request.parts[at].text.encode("utf-8", "surrogatepass")) for at in side.parts)
    ends = list(uint32(side.byte_ends))
    if not ends or ends != sorted(ends) or ends[-1] > size:
        return "have tokens where it has no text"
    if side.full_context_rows is not None and side.full_context_rows < 0:
        return "have an impossible number of rows with the whole context"
    if not _are_ids(int32(side.ids)) or not all(value >= -1 for value in int32(side.top_ids)):
        return "name tokens that no model has"
    if not all(-math.inf < value <= _ROUNDING for value in float32(side.logprob)):
        return "have logprobs that are none"
    if not all(value <= _ROUNDING for value in float32(side.top_logprobs)):
        return "have logprobs that are none"
    if any(math.isinf(value) for value in float32(side.entropy)):
        return "have numbers that are none"
    return ""


def _are_ids(ids: Sequence[int]) -> bool:
    return all(value >= 0 for value in ids)


def _is_alignment(alignment: Alignment, rows: int, base_rows: int) -> bool:
    """Whether the groups take up the rows of both models, one after the other."""
    columns = (alignment.first, alignment.base_first, alignment.base_tokens)
    if any(len(column) != 4 * rows for column in columns):
        return False
    firsts, base_firsts, counts = int32(alignment.first), uint32(alignment.base_first), uint32(alignment.base_tokens)
    at = base_at = 0
    for row in range(rows):
        if firsts[row] == row:
            at, is_next = row, base_firsts[row] == base_at
            base_at += counts[row]
            if not is_next:
                return False
        elif firsts[row] != at or (base_firsts[row], counts[row]) != (base_firsts[at], counts[at]):
            return False
    return base_at == base_rows
