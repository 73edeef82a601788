"""Passes through one base model and several aligned ones: the base model is fed once for all of them.

That is done where it changes none of the base model's numbers: where all pairs feed it the same ids, in the same
chunks or batches, and take its logits in blocks of as many positions (`sharing_key`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence

import torch

from shiftlens.scoring.numbers.head import Heads, numbers_of_several
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.passes.feeding import hidden_states_together, open_stream
from shiftlens.scoring.passes.plan import PassPlan, PositionTargets, joined_targets
from shiftlens.scoring.passes.teacher_forcing import PositionCollector, Scorer


def sharing_key(scorer: Scorer, group: Sequence[PassPlan]) -> Hashable:
    """Equal for groups of passes of several pairs that can share what the base model is fed."""
    passes = tuple((plan.base, plan.groups, plan.members, plan.ends, tuple(scorer.ends(plan))) for plan in group)
    return (passes, scorer.limits, scorer.heads.block_rows, isinstance(scorer.heads, Heads))


@torch.inference_mode()
def score_several(
    scorers: Sequence[Scorer], plans: Sequence[PassPlan], check: Callable[[], None] = lambda: None
) -> Generator[list[PositionCollector], None, None]:
    """As `Scorer.score` without a memory, for a pass of each pair, all of one `sharing_key`.

    Yields the collectors of all pairs after each chunk.
    """
    first, plan = scorers[0], plans[0]
    chunk = first.limits.chunk
    base_stream = open_stream(first.base, plan.base, chunk, check)
    streams = [
        open_stream(scorer.aligned, each.aligned, chunk, check) for scorer, each in zip(scorers, plans, strict=True)
    ]
    collectors = [PositionCollector() for _ in scorers]
    for upto in first.ends(plan):
        start, end = collectors[0].count, plan.complete(upto)
        if start == end:
            continue
        base_hidden = base_stream.upto(plan.base_positions(end))
        aligned_hidden = [stream.upto(end) for stream in streams]
        targets = [each.targets(start, end) for each in plans]
        for collector, numbers in zip(
            collectors, _numbers(scorers, base_hidden, aligned_hidden, targets, check), strict=True
        ):
            collector.add(numbers)
        yield collectors


@torch.inference_mode()
def score_several_together(
    scorers: Sequence[Scorer], groups: Sequence[Sequence[PassPlan]], check: Callable[[], None] = lambda: None
) -> list[list[PairTensors]]:
    """As `Scorer.score_together`, for a group of passes of each pair, all of one `sharing_key`: by pair and pass."""
    base_hidden = hidden_states_together(scorers[0].base, [plan.base for plan in groups[0]])
    aligned_hidden = [
        hidden_states_together(scorer.aligned, [plan.aligned for plan in group])
        for scorer, group in zip(scorers, groups, strict=True)
    ]
    check()
    targets = [joined_targets([plan.targets(0, plan.position_count) for plan in group]) for group in groups]
    every = _numbers(scorers, base_hidden, aligned_hidden, targets, check)
    return [
        scorer.parts_of(group, numbers.map(torch.Tensor.cpu))
        for scorer, group, numbers in zip(scorers, groups, every, strict=True)
    ]


def _numbers(
    scorers: Sequence[Scorer],
    base_hidden: torch.Tensor,
    aligned_hidden: Sequence[torch.Tensor],
    targets: Sequence[PositionTargets],
    check: Callable[[], None],
) -> list[PairTensors]:
    heads = [scorer.heads for scorer in scorers if isinstance(scorer.heads, Heads)]
    if len(heads) < len(scorers):
        return [
            scorer.numbers((base_hidden, hidden), each, check)
            for scorer, hidden, each in zip(scorers, aligned_hidden, targets, strict=True)
        ]
    base_ids = scorers[0].tensor(targets[0].base)
    aligned_ids = [scorer.tensor(each.aligned) for scorer, each in zip(scorers, targets, strict=True)]
    return numbers_of_several(heads, base_hidden, aligned_hidden, base_ids, aligned_ids, check)
