"""The numbers of a block of positions, from the logits of both models.

Every formula is over the whole vocabulary, in float32, natural logarithms. Ranks and candidates are read from the raw
logits: taking the normaliser off first could make two logits equal that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

_LOWEST = -1e9


@dataclass(frozen=True, slots=True)
class SideRows:
    """One model's numbers for r rows: logprob, entropy float32 [r]; rank int32 [r]; top_* [r, k]."""

    logprob: torch.Tensor
    rank: torch.Tensor
    entropy: torch.Tensor
    top_ids: torch.Tensor
    top_logprobs: torch.Tensor

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> SideRows:
        """The same change to every column."""
        return SideRows(
            change(self.logprob),
            change(self.rank),
            change(self.entropy),
            change(self.top_ids),
            change(self.top_logprobs),
        )


@dataclass(frozen=True, slots=True)
class PairRows:
    """Both models' numbers, and what takes both: KL float32 [r], base rank of aligned top-1 int32 [r]."""

    base: SideRows
    aligned: SideRows
    kl: torch.Tensor
    base_rank_of_aligned_top: torch.Tensor

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> PairRows:
        """The same change to every column."""
        return PairRows(
            self.base.map(change), self.aligned.map(change), change(self.kl), change(self.base_rank_of_aligned_top)
        )


def joined(blocks: Sequence[PairRows]) -> PairRows:
    """Blocks of rows, one after another, as one."""
    return PairRows(
        _joined_side([block.base for block in blocks]),
        _joined_side([block.aligned for block in blocks]),
        torch.cat([block.kl for block in blocks]),
        torch.cat([block.base_rank_of_aligned_top for block in blocks]),
    )


def _joined_side(sides: Sequence[SideRows]) -> SideRows:
    return SideRows(
        torch.cat([side.logprob for side in sides]),
        torch.cat([side.rank for side in sides]),
        torch.cat([side.entropy for side in sides]),
        torch.cat([side.top_ids for side in sides]),
        torch.cat([side.top_logprobs for side in sides]),
    )


@torch.inference_mode()
def pair_rows(
    base_logits: torch.Tensor,
    aligned_logits: torch.Tensor,
    base_ids: torch.Tensor,
    aligned_ids: torch.Tensor,
    k: int,
) -> PairRows:
    """Numbers of r rows. Logits float32 [r, V] are overwritten; ids int64 [r] are what each side scores.

    KL(aligned || base) = sum over x of a(x) (ln a(x) - ln b(x)). Where one vocabulary is wider (padding rows), the sum
    runs over the ids both have.
    """
    base_top = torch.topk(base_logits, min(k, base_logits.shape[-1]), dim=-1)
    aligned_top = torch.topk(aligned_logits, min(k, aligned_logits.shape[-1]), dim=-1)
    base_rank = _ranks(base_logits, base_ids, base_top.values)
    aligned_rank = _ranks(aligned_logits, aligned_ids, aligned_top.values)
    shared_top = aligned_top.indices[:, 0].clamp(max=base_logits.shape[-1] - 1)
    rank_of_top = _ranks(base_logits, shared_top, base_top.values)

    base_norm = torch.logsumexp(base_logits, dim=-1, keepdim=True)
    aligned_norm = torch.logsumexp(aligned_logits, dim=-1, keepdim=True)
    base_own = base_logits.gather(1, base_ids.unsqueeze(1)) - base_norm
    aligned_own = aligned_logits.gather(1, aligned_ids.unsqueeze(1)) - aligned_norm

    b = base_logits.sub_(base_norm).clamp_(min=_LOWEST)
    a = aligned_logits.sub_(aligned_norm).clamp_(min=_LOWEST)
    base_entropy = -_dot(b.exp(), b)
    p = a.exp()
    aligned_entropy = -_dot(p, a)
    if a.shape[-1] != b.shape[-1]:
        shared = min(a.shape[-1], b.shape[-1])
        a, b, p = a[:, :shared], b[:, :shared], p[:, :shared]
        kl = _dot(p, a) - _dot(p, b)
    else:
        kl = -aligned_entropy - _dot(p, b)
    return PairRows(
        base=SideRows(
            base_own[:, 0], base_rank, base_entropy.clamp_(min=0), base_top.indices, base_top.values - base_norm
        ),
        aligned=SideRows(
            aligned_own[:, 0],
            aligned_rank,
            aligned_entropy.clamp_(min=0),
            aligned_top.indices,
            aligned_top.values - aligned_norm,
        ),
        kl=kl.clamp_(min=0),
        base_rank_of_aligned_top=rank_of_top,
    )


def _ranks(logits: torch.Tensor, ids: torch.Tensor, top_values: torch.Tensor) -> torch.Tensor:
    """1 + the number of strictly greater logits, int32 [r]; the whole row is counted only for ids outside the top."""
    own = logits.gather(1, ids.unsqueeze(1))
    ranks = (top_values > own).sum(dim=-1, dtype=torch.int32) + 1
    outside = (own < top_values[:, -1:]).squeeze(1).nonzero().squeeze(1)
    if len(outside):
        ranks[outside] = (logits[outside] > own[outside]).sum(dim=-1, dtype=torch.int32) + 1
    return ranks


def _dot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    products: torch.Tensor = torch.linalg.vecdot(x, y, dim=-1)
    return products
