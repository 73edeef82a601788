"""The numbers of a block of positions, from the logits of both models.

Every formula is over the whole vocabulary, in float32, natural logarithms. Ranks and candidates are read from the raw
logits: taking anything off first could make two logits equal that are not.
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

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        columns = (self.logprob, self.rank, self.entropy, self.top_ids, self.top_logprobs)
        return sum(column.nbytes for column in columns)

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

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return self.base.nbytes + self.aligned.nbytes + self.kl.nbytes + self.base_rank_of_aligned_top.nbytes

    def part(self, start: int, stop: int) -> PairRows:
        """Some of the rows."""
        return self.map(lambda column: column[start:stop])


def joined(blocks: Sequence[PairRows]) -> PairRows:
    """Blocks of rows, one after another, as one."""
    return PairRows(
        joined_side([block.base for block in blocks]),
        joined_side([block.aligned for block in blocks]),
        torch.cat([block.kl for block in blocks]),
        torch.cat([block.base_rank_of_aligned_top for block in blocks]),
    )


def joined_side(sides: Sequence[SideRows]) -> SideRows:
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
    scratch: torch.Tensor | None = None,
) -> PairRows:
    """Numbers of r rows. Logits float32 [r, V] are overwritten; ids int64 [r] are what each side scores.

    KL(aligned || base) = sum over x of a(x) (ln a(x) - ln b(x)). Where one vocabulary is wider (padding rows), the sum
    runs over the ids both have, and a token that only the aligned model has ranks below all of the base model's.
    `scratch` is float32 of at least r x V elements (of the wider vocabulary) to work in: memory that is fresh for every
    block costs more than the arithmetic.
    """
    base_top = torch.topk(base_logits, min(k, base_logits.shape[-1]), dim=-1)
    aligned_top = torch.topk(aligned_logits, min(k, aligned_logits.shape[-1]), dim=-1)
    shared_top = aligned_top.indices[:, 0].clamp(max=base_logits.shape[-1] - 1)
    base_own = base_logits.gather(1, base_ids.unsqueeze(1))
    aligned_own = aligned_logits.gather(1, aligned_ids.unsqueeze(1))
    base_rank = _ranks(base_logits, base_own, base_top.values)
    aligned_rank = _ranks(aligned_logits, aligned_own, aligned_top.values)
    rank_of_top = _ranks(base_logits, base_logits.gather(1, shared_top.unsqueeze(1)), base_top.values)
    rank_of_top[aligned_top.indices[:, 0] != shared_top] = base_logits.shape[-1] + 1

    if scratch is None:
        scratch = base_logits.new_empty(max(base_logits.numel(), aligned_logits.numel()))
    base = _moments(base_logits, base_top.values, scratch)
    aligned = _moments(aligned_logits, aligned_top.values, scratch)
    weights = scratch[: aligned_logits.numel()].view_as(aligned_logits)
    if aligned_logits.shape[-1] == base_logits.shape[-1]:
        cross, own = _dot(weights, base_logits) / aligned.total, aligned.mean
        mass = torch.ones_like(own)
    else:
        shared = min(aligned_logits.shape[-1], base_logits.shape[-1])
        weights = weights[:, :shared]
        cross = _dot(weights, base_logits[:, :shared]) / aligned.total
        mass = weights.sum(dim=-1) / aligned.total
        own = _dot(weights, aligned_logits[:, :shared]) / aligned.total
    kl = own - cross - mass * (aligned.total.log() - base.total.log())
    return PairRows(
        base=base.side(base_own, base_rank, base_top.indices, base_top.values),
        aligned=aligned.side(aligned_own, aligned_rank, aligned_top.indices, aligned_top.values),
        kl=kl.clamp_(min=0),
        base_rank_of_aligned_top=rank_of_top,
    )


@torch.inference_mode()
def side_rows(
    logits: torch.Tensor, ids: torch.Tensor, k: int, others: torch.Tensor | None = None
) -> tuple[SideRows, torch.Tensor]:
    """One model's numbers of r rows, and the ranks int32 [r] of `others`, int64 [r]; 0 where that is below 0.

    Logits float32 [r, V] are overwritten.
    """
    top = torch.topk(logits, min(k, logits.shape[-1]), dim=-1)
    own = logits.gather(1, ids.unsqueeze(1))
    rank = _ranks(logits, own, top.values)
    wanted = others if others is not None else torch.full_like(ids, -1)
    ranks = _ranks(logits, logits.gather(1, wanted.clamp(min=0).unsqueeze(1)), top.values)
    side = _moments(logits, top.values, torch.empty_like(logits).flatten())
    return side.side(own, rank, top.indices, top.values), torch.where(wanted >= 0, ranks, 0)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of z = logits less their largest, under softmax(z): total = sum of exp(z), mean = E[z]; float32 [r]."""

    largest: torch.Tensor
    total: torch.Tensor
    mean: torch.Tensor

    def side(self, own: torch.Tensor, rank: torch.Tensor, top_ids: torch.Tensor, top: torch.Tensor) -> SideRows:
        """Logprobs from logits, and entropy = ln total - mean."""
        norm = (self.largest + self.total.log()).unsqueeze(1)
        entropy = (self.total.log() - self.mean).clamp_(min=0)
        return SideRows((own - norm)[:, 0], rank, entropy, top_ids, top - norm)


def _moments(logits: torch.Tensor, top_values: torch.Tensor, scratch: torch.Tensor) -> _Moments:
    """Logits become z, and `scratch` begins with exp(z). A logit of -inf counts as very low: 0 x inf is no number."""
    largest = top_values[:, :1].clone()
    z = logits.sub_(largest)
    weights = torch.exp(z, out=scratch[: z.numel()].view_as(z))
    mean = _dot(weights, z)
    if not bool(mean.isfinite().all()):
        mean = _dot(weights, z.clamp_(min=_LOWEST))
    total = weights.sum(dim=-1)
    return _Moments(largest[:, 0], total, mean / total)


def _ranks(logits: torch.Tensor, own: torch.Tensor, top_values: torch.Tensor) -> torch.Tensor:
    """1 + the number of strictly greater logits, int32 [r]; the whole row is counted only for ids outside the top."""
    ranks = (top_values > own).sum(dim=-1, dtype=torch.int32) + 1
    outside = (own < top_values[:, -1:]).squeeze(1)
    if logits.is_cuda or bool(outside.all()):
        # On a GPU, looking which rows need it would cost more than counting them all.
        return (logits > own).sum(dim=-1, dtype=torch.int32) + 1
    which = outside.nonzero().squeeze(1)
    for row in which.tolist():
        ranks[row] = (logits[row] > own[row]).sum(dtype=torch.int32) + 1
    return ranks


def _dot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    products: torch.Tensor = torch.linalg.vecdot(x, y, dim=-1)
    return products
