"""What each model of a pair gives the other one's candidates, which need not be its own.

Only some servers tell that of a token that is not a candidate. Rows of the two models have to be those of one text.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.backends.probe import alike
from shiftlens.backends.protocol import SideNumbers
from shiftlens.scores.columns import float32, float32_column, int32
from shiftlens.scores.records import ScoredResponse


@dataclass(frozen=True, slots=True)
class OfOther:
    """The logprobs of the other model's candidates in nats, float32 [n * k] for each model; empty where not had."""

    base: bytes = b""
    aligned: bytes = b""
    notes: tuple[str, ...] = ()


def checked(own: SideNumbers, other: SideNumbers, told: bytes) -> bytes | None:
    """The column of what a model told of the other's candidates, with its own numbers where they are its own as well.

    None where it now gives these other logprobs than before.
    """
    mine = _candidates(own)
    ids, values = int32(other.top_ids), list(float32(told))
    before, now = [], []
    for at, token in enumerate(ids):
        known = mine[at // other.k].get(token)
        if known is not None:
            before.append(known)
            now.append(values[at])
            values[at] = known
    return float32_column(values) if alike(before, now) else None


def with_others(scored: ScoredResponse, of_other: OfOther, ks: tuple[int, int], rows: Sequence[int]) -> ScoredResponse:
    """The record with these columns. `ks` are the candidates that base and aligned model gave at a position, and
    `rows` the rows of the columns that the record has."""
    comparison = dataclasses.replace(
        scored.comparison,
        base_of_aligned_top=_placed(of_other.base, ks[1], scored.aligned.k, rows),
        aligned_of_base_top=_placed(of_other.aligned, ks[0], scored.base.k, rows),
    )
    return dataclasses.replace(scored, comparison=comparison)


def _candidates(numbers: SideNumbers) -> list[dict[int, float]]:
    k, ids, logprobs = numbers.k, int32(numbers.top_ids), float32(numbers.top_logprobs)
    rows = len(numbers.logprob) // 4
    return [
        dict(zip(ids[row * k : (row + 1) * k], logprobs[row * k : (row + 1) * k], strict=True)) for row in range(rows)
    ]


def _placed(column: bytes, had: int, k: int, rows: Sequence[int]) -> bytes:
    """A column of `had` values a row as one of `k`; nothing stays nothing."""
    values = float32(column)
    return float32_column(values[row * had + at] if at < had else math.nan for row in rows for at in range(k) if column)
