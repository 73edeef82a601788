"""Which ids to feed, and which rows of them to score: one pass for all responses of a conversation.

Row p of a pass is the distribution over what follows its first p + 1 ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.models.prepare import Prepared, PreparedSide


@dataclass(frozen=True, slots=True)
class SidePlan:
    """One model's part: the ids it is fed, the rows that are wanted, ascending, and the id to score in each."""

    ids: tuple[int, ...]
    rows: tuple[int, ...]
    targets: tuple[int, ...]
    lead: int = 0


@dataclass(frozen=True, slots=True)
class PassPlan:
    """One sequence of ids per model. `members` are the places of its responses among those planned for; `ends` tells
    for each how many rows of the pass are scored when it is done."""

    base: SidePlan
    aligned: SidePlan
    members: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def rows(self) -> int:
        return len(self.base.rows)

    @property
    def length(self) -> int:
        """Ids of the longer side."""
        return max(len(self.base.ids), len(self.aligned.ids))


def plan_passes(responses: Sequence[Prepared]) -> list[PassPlan]:
    """Passes that score all responses, in their order.

    A response joins the pass of the one before it where that one's context and text, as ids, begin its own context
    under both models; a template that renders earlier turns otherwise once they are past gets a pass per response.
    """
    chains: list[list[int]] = []
    for place, response in enumerate(responses):
        if chains and _goes_on(responses[chains[-1][-1]], response):
            chains[-1].append(place)
        else:
            chains.append([place])
    return [_plan([responses[place] for place in chain], tuple(chain)) for chain in chains]


def side_plan(side: PreparedSide, ids: tuple[int, ...]) -> SidePlan:
    """One model's part of the pass of a response whose tokens are `ids` for it."""
    return _side([(side, ids)])


def _goes_on(earlier: Prepared, later: Prepared) -> bool:
    for before, after in ((earlier.base, later.base), (earlier.aligned, later.aligned)):
        shared = len(before.prefix_ids) + len(earlier.ids)
        # With nothing between the two, both would want the same row, each with its own target.
        if len(after.prefix_ids) <= shared:
            return False
        if after.prefix_ids[: len(before.prefix_ids)] != before.prefix_ids:
            return False
        if after.prefix_ids[len(before.prefix_ids) : shared] != earlier.ids:
            return False
    return True


def _plan(chain: Sequence[Prepared], members: tuple[int, ...]) -> PassPlan:
    ends: list[int] = []
    for response in chain:
        ends.append((ends[-1] if ends else 0) + len(response.ids) + 1)
    return PassPlan(
        _side([(r.base, r.ids) for r in chain]), _side([(r.aligned, r.ids) for r in chain]), members, tuple(ends)
    )


def _side(chain: Sequence[tuple[PreparedSide, tuple[int, ...]]]) -> SidePlan:
    rows: list[int] = []
    targets: list[int] = []
    for side, ids in chain:
        first = len(side.prefix_ids) - 1
        rows.extend(range(first, first + len(ids) + 1))
        targets.extend((*ids, side.end_id))
    last, last_ids = chain[-1]
    return SidePlan((*last.prefix_ids, *last_ids), tuple(rows), tuple(targets), last.lead)
