"""The numbers of a block of positions, from tiles of the logits of one model, or of both.

Every formula is over the whole vocabulary, in float32, natural logarithms. Ranks and candidates are read from the raw
logits: taking anything off first could make two logits equal that are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import torch

from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors
from shiftlens.scoring.numbers.tiles import Merged, Scratch, TileNumbers, above, mean_difference, merged, tile_numbers


class Side:
    """One model's tiles as they come, in the order of their ids, and what is known of its rows by then.

    With `keep`, the tiles stay in memory, so that the rank of any id can be told afterwards.
    """

    def __init__(self, k: int, scratch: Scratch, *, keep: bool) -> None:
        self._k, self._scratch, self._keep = k, scratch, keep
        self.tiles: list[torch.Tensor] = []
        self.numbers: list[TileNumbers] = []
        self.width = 0

    def add(self, tile: torch.Tensor) -> torch.Tensor:
        """Take the next tile; softmax of it, in the scratch."""
        found, weights = tile_numbers(tile, self.width, self._k, self._scratch)
        self.numbers.append(found)
        self.width += tile.shape[1]
        if self._keep:
            self.tiles.append(tile)
        return weights

    def merged(self) -> Merged:
        return merged(self.numbers, self._k)

    def logits_of(self, ids: torch.Tensor) -> torch.Tensor:
        """The logit of one id [r] in each row, float32 [r], -inf for one that is not there; only of kept tiles."""
        found = torch.full((len(ids),), -torch.inf, device=ids.device)
        start = 0
        for tile in self.tiles:
            own_logits(tile, start, ids, found)
            start += tile.shape[1]
        return found

    def ranks(self, values: torch.Tensor) -> torch.Tensor:
        """1 + the number of logits in each row that are strictly greater than its value, int32 [r]; of kept tiles."""
        ranks = torch.ones(len(values), dtype=torch.int32, device=values.device)
        for tile, numbers in zip(self.tiles, self.numbers, strict=True):
            ranks += above(tile, values, numbers.top, self._scratch)
        return ranks


def own_logits(tile: torch.Tensor, first_id: int, ids: torch.Tensor, found: torch.Tensor) -> None:
    """Put into `found` [r] the logits of the rows whose id [r] is in this tile."""
    index = ids - first_id
    inside = (index >= 0) & (index < tile.shape[1])
    logits = tile.gather(1, index.clamp(0, tile.shape[1] - 1).unsqueeze(1)).squeeze(1)
    torch.where(inside, logits, found, out=found)


def side_tensors(
    tiles: Iterable[torch.Tensor],
    ids: torch.Tensor,
    k: int,
    scratch: Scratch,
    others: torch.Tensor | None = None,
) -> tuple[SideTensors, torch.Tensor]:
    """One model's numbers of r rows, and the ranks int32 [r] of `others`, int64 [r]; 0 where that is below 0.

    The tiles, float32 [r, w], have all ids in their order. `scratch` has room for any of them.
    """
    side = Side(k, scratch, keep=True)
    for tile in tiles:
        side.add(tile)
    own = side.logits_of(ids)
    rows = _side(side.merged(), own, side.ranks(own))
    if others is None:
        return rows, torch.zeros_like(rows.rank)
    ranks = side.ranks(side.logits_of(others.clamp(min=0)))
    return rows, torch.where(others >= 0, ranks, 0)


class BaseBlock:
    """The base model's numbers of r rows, all of whose logits are kept until those of aligned models have gone by.

    The tiles, float32 [r, w], have all ids in their order; `ids` int64 [r] are what is scored.
    """

    def __init__(self, tiles: Iterable[torch.Tensor], ids: torch.Tensor, k: int, scratch: Scratch) -> None:
        self.side = Side(k, scratch, keep=True)
        for tile in tiles:
            self.side.add(tile)
        self.own = self.side.logits_of(ids)
        self.merged = self.side.merged()
        self.rank: torch.Tensor | None = None

    def beside(
        self,
        aligned_tiles: Iterable[torch.Tensor],
        aligned_ids: torch.Tensor,
        k: int,
        scratch: Scratch,
        aligned_early: torch.Tensor | None = None,
    ) -> tuple[PairTensors, torch.Tensor]:
        """Numbers of r rows, and which of them have no aligned rank yet, bool [r].

        The aligned model's tiles are cut at the same ids as the base model's, and each is kept only until the next.
        `scratch` has room for any of them. `aligned_ids` int64 [r] are what is scored.

        KL(aligned || base) = sum over x of a(x) (ln a(x) - ln b(x)). Where one vocabulary is wider (padding rows), the
        sum runs over the ids both have, and a token that only the aligned model has ranks below all of the base
        model's.

        To rank the aligned model's own ids while its tiles go by, their logits must be known before: `aligned_early`
        [r]. Without it, the first tile must have all ids. A row whose logit turns out to be another gets no rank.
        """
        # The base model's ranks are counted while its tiles are read for KL, the first time.
        counted = self.rank
        base_rank = torch.ones(len(self.own), dtype=torch.int32, device=self.own.device)
        aligned = Side(k, scratch, keep=False)
        early = aligned_early
        own = torch.full_like(self.own, -torch.inf)
        aligned_rank = torch.ones_like(base_rank)
        cross: list[torch.Tensor] = []
        mass: list[torch.Tensor] = []
        for tile, other, numbers in zip_longest(aligned_tiles, self.side.tiles, self.side.numbers):
            if other is not None and counted is None:
                base_rank += above(other, self.own, numbers.top, scratch)
            if tile is None:
                continue
            own_logits(tile, aligned.width, aligned_ids, own)
            early = own.clone() if early is None else early
            weights = aligned.add(tile)
            aligned_rank += above(tile, early, aligned.numbers[-1].top, scratch)
            shared = min(tile.shape[1], 0 if other is None else other.shape[1])
            mass.append(torch.ones_like(own) if shared == tile.shape[1] else weights[:, :shared].sum(dim=-1))
            cross.append(torch.zeros_like(own) if other is None else mean_difference(weights, tile, other, scratch))
        self.rank = base_rank if counted is None else counted
        a, b = aligned.merged(), self.merged
        kl = (a.shares * torch.stack(cross)).sum(dim=0) - (a.shares * torch.stack(mass)).sum(dim=0) * (a.norm - b.norm)
        base_positions = _side(b, self.own, self.rank)
        rows = PairTensors(
            base=base_positions,
            aligned=_side(a, own, aligned_rank),
            kl=kl.clamp_(min=0),
            base_rank_of_aligned_top=_rank_of(a.top_ids[:, 0], self.side),
            base_broken=base_positions.broken,
        )
        return rows, early != own if early is not None else torch.ones_like(own, dtype=torch.bool)


def _side(numbers: Merged, own: torch.Tensor, rank: torch.Tensor) -> SideTensors:
    norm = numbers.norm
    return SideTensors(own - norm, rank, numbers.entropy, numbers.top_ids, numbers.top - norm.unsqueeze(1))


def _rank_of(ids: torch.Tensor, side: Side) -> torch.Tensor:
    """Ranks of any ids; one more than the width where the id is not one of this model."""
    there = ids.clamp(max=side.width - 1)
    ranks = side.ranks(side.logits_of(there))
    return torch.where(ids == there, ranks, side.width + 1)
