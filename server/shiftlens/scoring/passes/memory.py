"""What earlier passes left behind: KV caches and numbers that a later pass can go on from.

An edit at position p of a response, the next turn of a conversation, a second response to the same question: each
shares its first ids with a pass that was just made. Reuse is decided by comparing ids, never by assuming. Numbers can
be gone on from without a cache, where the model's caches can't be cut back or would take too much memory.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.passes.caches import bytes_of, can_be_cut, cut, first_of
from shiftlens.scoring.passes.plan import PassPlan, PositionGroup, SidePlan

DEFAULT_LIMIT_BYTES = 1 << 30
_LEAST_SHARED_IDS = 16
_MOST_OF_MACHINE = 16

Owner = tuple[int, str]
"""Whose text a pass was made of: a client, and its name for the document."""

NOBODY: Owner = (0, "")


def limit_for(machine_bytes: int) -> int:
    """Most bytes that are kept on a machine of so much memory: a sixteenth of it, at most DEFAULT_LIMIT_BYTES."""
    return min(DEFAULT_LIMIT_BYTES, machine_bytes // _MOST_OF_MACHINE)


@dataclass(frozen=True, slots=True)
class RememberedSide:
    """One model's part of a pass: what it was to be fed, how many of its ids were read in order, and a cache.

    `cached` are the ids in the cache, which are the first of the plan, or those of a window of it. A cache that is
    `lent` stays in the memory as it is.
    """

    plan: SidePlan
    read: int
    cached: tuple[int, ...]
    cache: Any
    lent: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        return self.plan.ids[: self.read]

    @property
    def nbytes(self) -> int:
        return 0 if self.cache is None else bytes_of(self.cache)

    def first(self, length: int) -> Any:
        """A cache of the first `length` cached ids, to go on from: this one, cut back, or a copy if it is lent."""
        if self.lent:
            return first_of(self.cache, length)
        cut(self.cache, length)
        return self.cache

    def shared_ids(self, now: SidePlan) -> int:
        """How many ids this and another plan have in common from the beginning."""
        return common_length(self.ids, now.ids)

    def without_cache(self) -> RememberedSide:
        return RememberedSide(self.plan, self.read, (), None)

    def shared_positions(self, now: SidePlan, start: int) -> int:
        """How many positions of this, from position `start` on, are the first positions of `now`."""
        # Where a text outgrows its model, later positions have these before what is left of their context.
        if self.plan.lead != now.lead:
            return 0
        known = self.shared_ids(now)
        earlier = zip(self.plan.positions[start:], self.plan.targets[start:], strict=True)
        count = 0
        for this, other in zip(earlier, zip(now.positions, now.targets, strict=True), strict=False):
            if this != other or this[0] >= known:
                break
            count += 1
        return count


@dataclass(frozen=True, slots=True)
class RememberedPass:
    """Both models' parts, the groups of positions, and the numbers of the first ones (None before there are any)."""

    base: RememberedSide
    aligned: RememberedSide
    groups: tuple[PositionGroup, ...] | None
    k: int
    numbers: PairTensors | None
    owner: Owner = NOBODY

    @property
    def nbytes(self) -> int:
        return self.base.nbytes + self.aligned.nbytes + (0 if self.numbers is None else self.numbers.nbytes)

    def numbers_for(self, plan: PassPlan, k: int) -> PairTensors | None:
        """The numbers of the first positions of `plan`, as many as hold there: same ids so far, same id to score."""
        if self.numbers is None or self.k != k:
            return None
        base_start = bisect_left(self.base.plan.positions, plan.base.positions[0])
        start = bisect_left(self.aligned.plan.positions, plan.aligned.positions[0])
        base = self.base.shared_positions(plan.base, base_start)
        aligned = min(self.aligned.shared_positions(plan.aligned, start), len(self.numbers.kl) - start)
        count = self._side_by_side(plan, (start, base_start), aligned, base)
        if count <= 0:
            return None
        base_count = plan.base_positions(count)
        return self.numbers.part(slice(start, start + count), slice(base_start, base_start + base_count))

    def _side_by_side(self, plan: PassPlan, starts: tuple[int, int], aligned: int, base: int) -> int:
        """How many positions both sides can reuse, where each by itself could reuse `aligned` and `base` of them."""
        if self.groups is None or plan.groups is None:
            return min(aligned, base) if starts[0] == starts[1] and self.groups == plan.groups else 0
        count = 0
        first = bisect_left(self.groups, starts[0], key=lambda group: group.span.first)
        for this, now in zip(self.groups[first:], plan.groups, strict=False):
            if this.moved(*starts) != now or now.span.end > aligned or now.span.other_end > base:
                break
            count = now.span.end
        return count


class PassMemory:
    """The last passes of one pair of models, bounded in bytes; the least recently used goes first.

    Each belongs to its owner, until that one is forgotten. `on_kept` is called when a pass has been kept.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES, on_kept: Callable[[], None] = lambda: None) -> None:
        self.limit_bytes = limit_bytes
        self._on_kept = on_kept
        self._passes: list[RememberedPass] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all caches and numbers kept."""
        return sum(p.nbytes for p in self._passes)

    def take(self, plan: PassPlan) -> RememberedPass | None:
        """The pass that shares most ids with this one, so that feeding goes on from there.

        A pass that shares half of its ids, or the beginning of a response, is likely of the same text before an edit;
        it is removed from the memory. One that shares only the context is lent, since it belongs to another response.
        """
        best, most, is_same_text = None, _LEAST_SHARED_IDS - 1, False
        for remembered in self._passes:
            base, aligned = remembered.base.shared_ids(plan.base), remembered.aligned.shared_ids(plan.aligned)
            shared = min(base, aligned)
            if shared > most:
                best, most = remembered, shared
                answered = min(base - plan.base.positions[0], aligned - plan.aligned.positions[0]) - 1
                half = min(len(remembered.base.ids), len(plan.base.ids)) / 2
                is_same_text = answered >= _LEAST_SHARED_IDS or shared >= half
        if best is None:
            return None
        if is_same_text:
            self._passes = [p for p in self._passes if p is not best]
            return best
        lent = [dataclasses.replace(side, lent=True) for side in (best.base, best.aligned)]
        return dataclasses.replace(best, base=lent[0], aligned=lent[1])

    def lent(self, ids: Sequence[int], *, of_base: bool) -> RememberedSide | None:
        """One model's part of the pass whose cache begins with most of these ids, which stays in the memory as it is.

        For what is no edit of a text, but something else that begins like one.
        """
        sides = [each.base if of_base else each.aligned for each in self._passes]
        best = max(sides, key=lambda side: common_length(side.cached, ids), default=None)
        if best is None or common_length(best.cached, ids) < _LEAST_SHARED_IDS:
            return None
        return dataclasses.replace(best, lent=True)

    def keep(self, remembered: RememberedPass) -> None:
        """Remember a pass: without caches that can't be cut back, or that are more than the limit by themselves.

        One with broken positions is not remembered: what its caches hold may be no numbers either.
        """
        if remembered.numbers is not None and remembered.numbers.first_broken() is not None:
            return
        base, aligned = (
            side if can_be_cut(side.cache) else side.without_cache() for side in (remembered.base, remembered.aligned)
        )
        remembered = dataclasses.replace(remembered, base=base, aligned=aligned)
        if remembered.nbytes > self.limit_bytes:
            remembered = dataclasses.replace(remembered, base=base.without_cache(), aligned=aligned.without_cache())
        if remembered.nbytes == 0:
            return
        self._passes.append(remembered)
        while self._passes and self.nbytes > self.limit_bytes:
            self._passes.pop(0)
        self._on_kept()

    def drop_oldest(self) -> bool:
        """Drop the least recently used pass; False where there is none."""
        if self._passes:
            self._passes.pop(0)
            return True
        return False

    def forget(self, is_gone: Callable[[Owner], bool]) -> None:
        """Drop the passes of owners that are gone."""
        self._passes = [each for each in self._passes if not is_gone(each.owner)]


def common_length(these: Sequence[int], others: Sequence[int]) -> int:
    """How many ids two sequences share from the beginning."""
    for i, (this, other) in enumerate(zip(these, others, strict=False)):
        if this != other:
            return i
    return min(len(these), len(others))
