"""Which ids to feed, and at which positions to score: one pass for all responses of a conversation.

At position p of a pass, a model gives the distribution over what follows the first p + 1 ids.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.text.groups import Group, common_groups


@dataclass(frozen=True, slots=True)
class SidePlan:
    """One model's part: the ids it is fed, the positions that are wanted, ascending, and the id to score in each."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    targets: tuple[int, ...]
    lead: int = 0


@dataclass(frozen=True, slots=True)
class PositionGroup:
    """Positions of the two models that cover the same text, in a pass of two vocabularies.

    `span` has the aligned model's positions, then the base model's. `end_ids` are those with which base and aligned
    model end the response that the positions are of.
    """

    span: Group
    end_ids: tuple[int, int]

    def moved(self, positions: int, base_positions: int) -> PositionGroup:
        """The same group that many positions of each side further back."""
        at = self.span
        span = Group(
            at.first - positions, at.end - positions, at.other_first - base_positions, at.other_end - base_positions
        )
        return PositionGroup(span, self.end_ids)


@dataclass(frozen=True, slots=True)
class PositionTargets:
    """The ids to score at some positions of both sides. `groups` is None where both sides have the same tokens."""

    base: tuple[int, ...]
    aligned: tuple[int, ...]
    groups: tuple[PositionGroup, ...] | None


@dataclass(frozen=True, slots=True)
class PassPlan:
    """One sequence of ids per model. `members` are the indices of its responses among those planned for; `ends` tells
    for each how many positions of the pass are scored when it is done.

    `groups` pairs the positions of the two sides in a pass of two vocabularies. It is None where they are the same
    tokens, so that each position of one lies beside that of the other. The pass has as many positions as its aligned
    side.
    """

    base: SidePlan
    aligned: SidePlan
    members: tuple[int, ...]
    ends: tuple[int, ...]
    groups: tuple[PositionGroup, ...] | None = None

    @property
    def position_count(self) -> int:
        return len(self.aligned.positions)

    def complete(self, positions: int) -> int:
        """How many of the first `positions` are in groups that end among them."""
        if self.groups is None:
            return positions
        count = self._groups_in(positions)
        return self.groups[count - 1].span.end if count else 0

    def base_positions(self, positions: int) -> int:
        """How many positions of the base side lie beside the first `positions`, which are complete groups."""
        if self.groups is None:
            return positions
        count = self._groups_in(positions)
        return self.groups[count - 1].span.other_end if count else 0

    def targets(self, start: int, end: int) -> PositionTargets:
        """What to score in positions [start, end), which are complete groups."""
        base_start = self.base_positions(start)
        base, aligned = self.base.targets[base_start : self.base_positions(end)], self.aligned.targets[start:end]
        if self.groups is None:
            return PositionTargets(base, aligned, None)
        inside = self.groups[self._groups_in(start) : self._groups_in(end)]
        return PositionTargets(base, aligned, tuple(group.moved(start, base_start) for group in inside))

    def _groups_in(self, positions: int) -> int:
        return bisect_right(self.groups or (), positions, key=lambda group: group.span.end)

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
    for index, response in enumerate(responses):
        if chains and _goes_on(responses[chains[-1][-1]], response):
            chains[-1].append(index)
        else:
            chains.append([index])
    return [_plan([responses[index] for index in chain], tuple(chain)) for chain in chains]


def joined_targets(parts: Sequence[PositionTargets]) -> PositionTargets:
    """Those of positions that follow one another, as one."""
    base: list[int] = []
    aligned: list[int] = []
    groups: list[PositionGroup] | None = []
    for part in parts:
        if groups is None or part.groups is None:
            groups = None
        else:
            groups += [group.moved(-len(aligned), -len(base)) for group in part.groups]
        base += part.base
        aligned += part.aligned
    return PositionTargets(tuple(base), tuple(aligned), None if groups is None else tuple(groups))


def response_groups(prepared: Prepared) -> list[Group]:
    """The groups of a response that the base model reads as tokens of its own, the end of the response as the last.

    Raises ValueError where the two models' tokens are not of the same text.
    """
    own = prepared.base_encoding
    if own is None or prepared.byte_ends[-1] != own.byte_ends[-1]:
        raise ValueError("the tokens of the two models are not two ways to cut one text")
    ends = Group(len(prepared.ids), len(prepared.ids) + 1, len(own.ids), len(own.ids) + 1)
    return [*common_groups(prepared.byte_ends, own.byte_ends), ends]


def _goes_on(earlier: Prepared, later: Prepared) -> bool:
    sides = ((earlier.base, later.base, _base_ids(earlier)), (earlier.aligned, later.aligned, earlier.ids))
    for before, after, ids in sides:
        shared = len(before.prefix_ids) + len(ids)
        # With nothing between the two, both would want the same position, each with its own target.
        if len(after.prefix_ids) <= shared:
            return False
        if after.prefix_ids[: len(before.prefix_ids)] != before.prefix_ids:
            return False
        if after.prefix_ids[len(before.prefix_ids) : shared] != ids:
            return False
    return True


def _base_ids(response: Prepared) -> tuple[int, ...]:
    return response.ids if response.base_encoding is None else response.base_encoding.ids


def _plan(chain: Sequence[Prepared], members: tuple[int, ...]) -> PassPlan:
    ends: list[int] = []
    for response in chain:
        ends.append((ends[-1] if ends else 0) + len(response.ids) + 1)
    return PassPlan(
        _side([(r.base, _base_ids(r)) for r in chain]),
        _side([(r.aligned, r.ids) for r in chain]),
        members,
        tuple(ends),
        _groups(chain),
    )


def _groups(chain: Sequence[Prepared]) -> tuple[PositionGroup, ...] | None:
    """The groups of all responses, in positions of the pass."""
    groups: list[PositionGroup] = []
    positions = base_positions = 0
    for response in chain:
        if response.base_encoding is None:
            return None
        end_ids = (response.base.end_id, response.aligned.end_id)
        groups += [
            PositionGroup(group, end_ids).moved(-positions, -base_positions) for group in response_groups(response)
        ]
        positions, base_positions = groups[-1].span.end, groups[-1].span.other_end
    return tuple(groups)


def _side(chain: Sequence[tuple[PreparedSide, tuple[int, ...]]]) -> SidePlan:
    positions: list[int] = []
    targets: list[int] = []
    for side, ids in chain:
        first = len(side.prefix_ids) - 1
        positions.extend(range(first, first + len(ids) + 1))
        targets.extend((*ids, side.end_id))
    last, last_ids = chain[-1]
    return SidePlan((*last.prefix_ids, *last_ids), tuple(positions), tuple(targets), last.lead)
