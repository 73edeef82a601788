"""Teacher-forced passes through both models, yielding numbers as they come.

A pass by itself goes in chunks, with KV caches that a later pass can go on from; several short ones are fed at once.
Logits are in memory only for a block of positions at a time, so memory does not grow with n x V.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch

from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.numbers.tensors import PairTensors, joined
from shiftlens.scoring.passes.batches import Limits, limits_of
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.feeding import hidden_states_together, open_stream
from shiftlens.scoring.passes.memory import NOBODY, Owner, PassMemory, RememberedPass
from shiftlens.scoring.passes.plan import PassPlan, PositionTargets, joined_targets
from shiftlens.scoring.passes.two_vocabularies import TwoVocabularyHeads


class PositionCollector:
    """The positions of a pass that are scored so far."""

    def __init__(self) -> None:
        self._blocks: list[PairTensors] = []
        self.count = 0

    def add(self, block: PairTensors) -> None:
        self._blocks.append(block)
        self.count += len(block.kl)

    def all(self) -> PairTensors:
        """Everything so far as one block, on the CPU."""
        self._blocks = [joined([block.map(torch.Tensor.cpu) for block in self._blocks])]
        return self._blocks[0]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A pair of models, the heads' working memory, and what earlier passes left behind.

    What its own passes leave there belongs to `owner`.
    """

    base: CausalModel
    aligned: CausalModel
    heads: Heads | TwoVocabularyHeads
    k: int
    memory: PassMemory | None = None
    owner: Owner = NOBODY

    @property
    def limits(self) -> Limits:
        return limits_of(self.base.device, self.base.parameters + self.aligned.parameters)

    @property
    def longest(self) -> int | None:
        """The most ids that fit both models; None where neither has such a limit."""
        return min((m.max_positions for m in (self.base, self.aligned) if m.max_positions is not None), default=None)

    def ends(self, plan: PassPlan, done: int = 0) -> list[int]:
        """Where each chunk of the positions after `done` ends."""
        keeps = self.base.keeps_cache and self.aligned.keeps_cache
        return (
            self.limits.ends(done, plan.position_count)
            if keeps or done == plan.position_count
            else [plan.position_count]
        )

    @torch.inference_mode()
    def score(
        self, plan: PassPlan, check: Callable[[], None] = lambda: None
    ) -> Generator[PositionCollector, None, None]:
        """Score the positions of a pass; yields the collector after each chunk.

        `check` is called between chunks and blocks and may raise to stop the pass. With a memory, ids that an
        earlier pass began with are not fed again, and what this one fed is left there, also when it is stopped. A pass
        that is longer than a model goes in windows (`scoring.passes.windows`).
        """
        earlier = self.memory.take(plan) if self.memory is not None else None
        collector = PositionCollector()
        known = None if earlier is None else earlier.numbers_for(plan, self.k)
        if known is not None:
            collector.add(known)
        done = collector.count
        left = (None, None) if earlier is None else (earlier.base, earlier.aligned)
        chunk = self.limits.chunk
        base_stream = open_stream(self.base, plan.base, chunk, check, resume=left[0], done=plan.base_positions(done))
        aligned_stream = open_stream(self.aligned, plan.aligned, chunk, check, resume=left[1], done=done)
        try:
            for end in self.ends(plan, done):
                start, end = collector.count, plan.complete(end)
                if start == end:
                    continue
                hidden = base_stream.upto(plan.base_positions(end)), aligned_stream.upto(end)
                collector.add(self.numbers(hidden, plan.targets(start, end), check))
                yield collector
            if known is not None and collector.count == len(known.kl):
                yield collector
        finally:
            if self.memory is not None:
                kept = collector.all() if collector.count else None
                sides = base_stream.remember(), aligned_stream.remember()
                self.memory.keep(RememberedPass(*sides, plan.groups, self.k, kept, self.owner))

    def numbers(
        self, hidden: tuple[torch.Tensor, torch.Tensor], targets: PositionTargets, check: Callable[[], None]
    ) -> PairTensors:
        """Numbers of positions with these hidden states of the base and the aligned model, and these targets."""
        ids = self.tensor(targets.base), self.tensor(targets.aligned)
        if isinstance(self.heads, Heads):
            return self.heads.numbers(hidden, ids, check)
        return self.heads.numbers(hidden, ids, targets.groups or (), check)

    @torch.inference_mode()
    def score_together(self, plans: Sequence[PassPlan], check: Callable[[], None] = lambda: None) -> list[PairTensors]:
        """All positions of several passes, each fed at once beside the others.

        The shorter ones are filled up at their ends, where a causal model does not look back from.
        """
        hidden = [
            hidden_states_together(model, sides)
            for model, sides in ((self.base, [p.base for p in plans]), (self.aligned, [p.aligned for p in plans]))
        ]
        check()
        targets = joined_targets([plan.targets(0, plan.position_count) for plan in plans])
        return self.parts_of(plans, self.numbers((hidden[0], hidden[1]), targets, check).map(torch.Tensor.cpu))

    def parts_of(self, plans: Sequence[PassPlan], numbers: PairTensors) -> list[PairTensors]:
        """The positions of each of several passes, which follow one another."""
        found, start, base_start = [], 0, 0
        for plan in plans:
            end, base_end = start + plan.position_count, base_start + len(plan.base.positions)
            found.append(numbers.part(slice(start, end), slice(base_start, base_end)))
            start, base_start = end, base_end
        return found

    def tensor(self, ids: Sequence[object]) -> torch.Tensor:
        """Ids int64 where the models are."""
        return torch.tensor(ids, dtype=torch.int64, device=self.base.device)
