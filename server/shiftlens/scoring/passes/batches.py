"""How much to feed at a time, and which short passes to feed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from shiftlens.scoring.passes.plan import PassPlan

_LEAST_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Limits:
    """What to feed at once, in ids or positions; after it, progress is told, colours are shown and a cancel is obeyed.

    Each time models are fed, all of their weights are read, so that more at once is quicker as a whole. A pass of up to
    `in_one` positions goes in one; a longer one shows its `first` positions early and goes on by `chunk`. Short passes
    are fed together, up to `batch` ids, filling included.
    """

    in_one: int
    first: int
    chunk: int
    batch: int

    def ends(self, done: int, positions: int) -> list[int]:
        """Where each chunk of the positions after `done` ends."""
        if done == positions:
            return []
        if positions - done <= self.in_one:
            return [positions]
        return [*range(done + self.first, positions, self.chunk), positions]


_ACCELERATOR = Limits(in_one=1024, first=512, chunk=4096, batch=16_384)
_CPU_WORK = 320e9


def limits_of(device: torch.device, parameters: int) -> Limits:
    """Limits for a pair of so many parameters. On a CPU, a chunk is some seconds' work of a few cores."""
    if device.type != "cpu":
        return _ACCELERATOR
    chunk = int(min(512, max(64, _CPU_WORK // max(1, parameters))))
    batch = int(min(512, max(64, 2 * _CPU_WORK // max(1, parameters))))
    return Limits(in_one=min(320, chunk), first=min(128, chunk // 2), chunk=chunk, batch=batch)


def batches(plans: Sequence[PassPlan], most_ids: int, longest: int | None = None) -> list[list[PassPlan]]:
    """The passes in groups to be fed together, in the order of their first members.

    Those of a group are nearly of one length, so that little is fed in vain; one that is long goes by itself, as does
    one of more than `longest` ids.
    """
    groups: list[list[PassPlan]] = []
    for plan in sorted(plans, key=lambda plan: plan.length, reverse=True):
        group = groups[-1] if groups and (longest is None or groups[-1][0].length <= longest) else None
        if group and plan.length >= _LEAST_SHARE * group[0].length and group[0].length * (len(group) + 1) <= most_ids:
            group.append(plan)
        else:
            groups.append([plan])
    return sorted(groups, key=lambda group: min(plan.members[0] for plan in group))


def padded(sequences: Sequence[Sequence[int]]) -> list[list[int]]:
    """Sequences filled up at their ends with id 0 to the length of the longest."""
    longest = max(len(ids) for ids in sequences)
    return [[*ids, *[0] * (longest - len(ids))] for ids in sequences]
