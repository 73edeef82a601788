"""Which ids to feed, and which rows of them to score: one pass for all responses of a conversation.

Row p of a pass is the distribution over what follows its first p + 1 ids.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.text.groups import Group, common_groups


@dataclass(frozen=True, slots=True)
class SidePlan:
    """One model's part: the ids it is fed, the rows that are wanted, ascending, and the id to score in each."""

    ids: tuple[int, ...]
    rows: tuple[int, ...]
    targets: tuple[int, ...]
    lead: int = 0


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of a pass of two vocabularies that lie side by side: `place` has the aligned model's, then the base model's.

    `end_ids` are those with which base and aligned model end the response that the rows are of.
    """

    place: Group
    end_ids: tuple[int, int]

    def moved(self, rows: int, base_rows: int) -> RowGroup:
        """The same group that many rows of each side further back."""
        at = self.place
        place = Group(at.first - rows, at.end - rows, at.other_first - base_rows, at.other_end - base_rows)
        return RowGroup(place, self.end_ids)


@dataclass(frozen=True, slots=True)
class RowTargets:
    """The id to score in each of some rows of both sides, and the groups that these make, None where they are pairs."""

    base: tuple[int, ...]
    aligned: tuple[int, ...]
    groups: tuple[RowGroup, ...] | None


@dataclass(frozen=True, slots=True)
class PassPlan:
    """One sequence of ids per model. `members` are the places of its responses among those planned for; `ends` tells
    for each how many rows of the pass are scored when it is done.

    `groups` pairs the rows of the two sides in a pass of two vocabularies. It is None where they are the same tokens,
    so that each row of one lies beside that of the other. The pass has as many rows as its aligned side.
    """

    base: SidePlan
    aligned: SidePlan
    members: tuple[int, ...]
    ends: tuple[int, ...]
    groups: tuple[RowGroup, ...] | None = None

    @property
    def rows(self) -> int:
        return len(self.aligned.rows)

    def whole(self, rows: int) -> int:
        """How many of the first `rows` are in groups that end among them."""
        if self.groups is None:
            return rows
        count = self._groups_in(rows)
        return self.groups[count - 1].place.end if count else 0

    def base_rows(self, rows: int) -> int:
        """How many rows of the base side lie beside the first `rows`, which are whole groups."""
        if self.groups is None:
            return rows
        count = self._groups_in(rows)
        return self.groups[count - 1].place.other_end if count else 0

    def targets(self, start: int, end: int) -> RowTargets:
        """What to score in rows [start, end), which are whole groups."""
        base_start = self.base_rows(start)
        base, aligned = self.base.targets[base_start : self.base_rows(end)], self.aligned.targets[start:end]
        if self.groups is None:
            return RowTargets(base, aligned, None)
        inside = self.groups[self._groups_in(start) : self._groups_in(end)]
        return RowTargets(base, aligned, tuple(group.moved(start, base_start) for group in inside))

    def _groups_in(self, rows: int) -> int:
        return bisect_right(self.groups or (), rows, key=lambda group: group.place.end)

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


def joined_targets(parts: Sequence[RowTargets]) -> RowTargets:
    """Those of rows that follow one another, as one."""
    base: list[int] = []
    aligned: list[int] = []
    groups: list[RowGroup] | None = []
    for part in parts:
        if groups is not None:
            moved = (group.moved(-len(aligned), -len(base)) for group in part.groups or ())
            groups = None if part.groups is None else [*groups, *moved]
        base += part.base
        aligned += part.aligned
    return RowTargets(tuple(base), tuple(aligned), None if groups is None else tuple(groups))


def response_groups(prepared: Prepared) -> list[Group]:
    """The groups of a response that the base model reads as tokens of its own, the end of the response as the last.

    Raises ValueError where the two models' tokens are not of the same text.
    """
    own = prepared.own
    if own is None or prepared.byte_ends[-1] != own.byte_ends[-1]:
        raise ValueError("the tokens of the two models are not two ways to cut one text")
    ends = Group(len(prepared.ids), len(prepared.ids) + 1, len(own.ids), len(own.ids) + 1)
    return [*common_groups(prepared.byte_ends, own.byte_ends), ends]


def _goes_on(earlier: Prepared, later: Prepared) -> bool:
    sides = ((earlier.base, later.base, _base_ids(earlier)), (earlier.aligned, later.aligned, earlier.ids))
    for before, after, ids in sides:
        shared = len(before.prefix_ids) + len(ids)
        # With nothing between the two, both would want the same row, each with its own target.
        if len(after.prefix_ids) <= shared:
            return False
        if after.prefix_ids[: len(before.prefix_ids)] != before.prefix_ids:
            return False
        if after.prefix_ids[len(before.prefix_ids) : shared] != ids:
            return False
    return True


def _base_ids(response: Prepared) -> tuple[int, ...]:
    return response.ids if response.own is None else response.own.ids


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


def _groups(chain: Sequence[Prepared]) -> tuple[RowGroup, ...] | None:
    """The groups of all responses, in rows of the pass."""
    groups: list[RowGroup] = []
    rows = base_rows = 0
    for response in chain:
        if response.own is None:
            return None
        end_ids = (response.base.end_id, response.aligned.end_id)
        groups += [RowGroup(group, end_ids).moved(-rows, -base_rows) for group in response_groups(response)]
        rows, base_rows = groups[-1].place.end, groups[-1].place.other_end
    return tuple(groups)


def _side(chain: Sequence[tuple[PreparedSide, tuple[int, ...]]]) -> SidePlan:
    rows: list[int] = []
    targets: list[int] = []
    for side, ids in chain:
        first = len(side.prefix_ids) - 1
        rows.extend(range(first, first + len(ids) + 1))
        targets.extend((*ids, side.end_id))
    last, last_ids = chain[-1]
    return SidePlan((*last.prefix_ids, *last_ids), tuple(rows), tuple(targets), last.lead)
