"""The numbers of a block of positions, as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class SideTensors:
    """One model's numbers for r rows: logprob, entropy float32 [r]; rank int32 [r]; top_* [r, k]."""

    logprob: torch.Tensor
    rank: torch.Tensor
    entropy: torch.Tensor
    top_ids: torch.Tensor
    top_logprobs: torch.Tensor

    @property
    def broken(self) -> torch.Tensor:
        """Which rows are of logits that give no distribution, bool [r]: one is NaN or +inf, or all are -inf.

        The largest logit less the logsumexp is no number then, and only then: -inf for some ids is what models have
        for ids that they never choose.
        """
        return self.top_logprobs[:, 0].isnan()

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        columns = (self.logprob, self.rank, self.entropy, self.top_ids, self.top_logprobs)
        return sum(column.nbytes for column in columns)

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> SideTensors:
        """The same change to every column."""
        return SideTensors(
            change(self.logprob),
            change(self.rank),
            change(self.entropy),
            change(self.top_ids),
            change(self.top_logprobs),
        )


@dataclass(frozen=True, slots=True)
class PairTensors:
    """Both models' numbers, and what takes both: KL float32 [r], base rank of aligned top-1 int32 [r].

    The base model has rows of its own tokens: as many as the aligned model but in a pair of two vocabularies, where KL
    is no number. `base_broken`, bool [r], tells beside which rows of the aligned model those of the base are broken.
    """

    base: SideTensors
    aligned: SideTensors
    kl: torch.Tensor
    base_rank_of_aligned_top: torch.Tensor
    base_broken: torch.Tensor

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> PairTensors:
        """The same change to every column."""
        return PairTensors(
            self.base.map(change),
            self.aligned.map(change),
            change(self.kl),
            change(self.base_rank_of_aligned_top),
            change(self.base_broken),
        )

    def first_broken(self) -> int | None:
        """The first row in which either model gave no distribution; None where there is none."""
        found = (self.base_broken | self.aligned.broken).nonzero()
        return int(found[0]) if len(found) else None

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return self.base.nbytes + self.aligned.nbytes + self.kl.nbytes + self.base_rank_of_aligned_top.nbytes

    def part(self, rows: slice, base_positions: slice) -> PairTensors:
        """Some of the rows, and those of the base model that lie beside them."""
        return PairTensors(
            self.base.map(lambda column: column[base_positions]),
            self.aligned.map(lambda column: column[rows]),
            self.kl[rows],
            self.base_rank_of_aligned_top[rows],
            self.base_broken[rows],
        )


def joined(blocks: Sequence[PairTensors]) -> PairTensors:
    """Blocks of rows, one after another, as one."""
    return PairTensors(
        joined_side([block.base for block in blocks]),
        joined_side([block.aligned for block in blocks]),
        torch.cat([block.kl for block in blocks]),
        torch.cat([block.base_rank_of_aligned_top for block in blocks]),
        torch.cat([block.base_broken for block in blocks]),
    )


def joined_side(sides: Sequence[SideTensors]) -> SideTensors:
    return SideTensors(
        torch.cat([side.logprob for side in sides]),
        torch.cat([side.rank for side in sides]),
        torch.cat([side.entropy for side in sides]),
        torch.cat([side.top_ids for side in sides]),
        torch.cat([side.top_logprobs for side in sides]),
    )
