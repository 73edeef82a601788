"""What earlier passes left behind: KV caches and rows that a later pass can go on from.

An edit at position p of a response, the next turn of a conversation, a second response to the same question: each
shares its first ids with a pass that was just made. Reuse is decided by comparing ids, never by assuming.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shiftlens.scoring.caches import bytes_of, can_be_cut
from shiftlens.scoring.plan import PassPlan, SidePlan
from shiftlens.scoring.rows import PairRows

DEFAULT_LIMIT_BYTES = 1 << 30
_LEAST_SHARED_IDS = 16


@dataclass(frozen=True, slots=True)
class RememberedSide:
    """One model's part of a pass: what it was to be fed, how many ids it was fed, and the cache that holds them."""

    plan: SidePlan
    fed: int
    cache: Any

    @property
    def ids(self) -> tuple[int, ...]:
        return self.plan.ids[: self.fed]

    @property
    def nbytes(self) -> int:
        return bytes_of(self.cache)


@dataclass(frozen=True, slots=True)
class RememberedPass:
    """Both models' parts, and the numbers of the first rows of the pass (None before the first)."""

    base: RememberedSide
    aligned: RememberedSide
    k: int
    rows: PairRows | None

    @property
    def nbytes(self) -> int:
        return self.base.nbytes + self.aligned.nbytes

    def rows_for(self, plan: PassPlan, k: int) -> PairRows | None:
        """The numbers of the first rows of `plan`, as many as hold there: same ids so far, same id to score."""
        if self.rows is None or self.k != k:
            return None
        start = bisect_left(self.base.plan.rows, plan.base.rows[0])
        count = min(
            _same_rows(self.base.plan, self.base.fed, plan.base, start),
            _same_rows(self.aligned.plan, self.aligned.fed, plan.aligned, start),
            len(self.rows.kl) - start,
        )
        return self.rows.part(start, start + count) if count > 0 else None


class PassMemory:
    """The last passes of one pair of models, bounded in bytes; the least recently used goes first."""

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._passes: list[RememberedPass] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all caches held."""
        return sum(p.nbytes for p in self._passes)

    def take(self, base_ids: Sequence[int], aligned_ids: Sequence[int]) -> RememberedPass | None:
        """The pass that shares most ids with these, removed from the memory: going on from it changes its caches.

        A pass that shares little more than a template with these is left for the response it belongs to.
        """
        best, most = None, _LEAST_SHARED_IDS - 1
        for remembered in self._passes:
            shared = min(
                common_length(remembered.base.ids, base_ids), common_length(remembered.aligned.ids, aligned_ids)
            )
            shorter = min(len(remembered.base.ids), len(base_ids))
            if shared > most and shared * 2 >= shorter:
                best, most = remembered, shared
        if best is not None:
            self._passes = [p for p in self._passes if p is not best]
        return best

    def keep(self, remembered: RememberedPass) -> None:
        """Remember a pass whose caches can be cut back; others, and those over the limit, are let go."""
        if not (can_be_cut(remembered.base.cache) and can_be_cut(remembered.aligned.cache)):
            return
        self._passes.append(remembered)
        while self._passes and self.nbytes > self.limit_bytes:
            self._passes.pop(0)


def common_length(these: Sequence[int], others: Sequence[int]) -> int:
    """How many ids two sequences share from the beginning."""
    for i, (this, other) in enumerate(zip(these, others, strict=False)):
        if this != other:
            return i
    return min(len(these), len(others))


def _same_rows(before: SidePlan, fed: int, now: SidePlan, start: int) -> int:
    """How many rows of `before`, from row `start` on, are the first rows of `now`."""
    known = common_length(before.ids[:fed], now.ids)
    earlier = zip(before.rows[start:], before.targets[start:], strict=True)
    count = 0
    for this, other in zip(earlier, zip(now.rows, now.targets, strict=True), strict=False):
        if this != other or this[0] >= known:
            break
        count += 1
    return count
