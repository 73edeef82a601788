"""From hidden states to numbers: both LM heads over the same block of rows, a tile of the vocabulary at a time.

The base model's logits of a block are kept until the aligned model's have gone by; of those there is one tile at a
time. So the heads' weights are read once per block of many rows, and a row takes the memory of one model's logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

from shiftlens.scoring.numbers.formulae import BaseBlock, side_tensors
from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors, joined, joined_side
from shiftlens.scoring.numbers.tiles import Scratch, above
from shiftlens.scoring.passes.causal import CausalModel

_BLOCK_BYTES, _ACCELERATOR_BLOCK_BYTES = 80 << 20, 128 << 20
"""One model's logits of one block. Fewer, larger blocks read the heads' weights less often."""

_TILE_ELEMENTS, _LEAST_TILE = 3_500_000, 4096
"""Logits in a tile on a CPU: few enough to stay in its last cache while numbers are taken, and no fewer, since each
tile takes some fifty calls."""

_MOST_ROWS = 512


class Blocks:
    """How the logits of models of these widths are cut: rows into blocks, and blocks into tiles of the vocabulary."""

    def __init__(self, widest: int, device: torch.device) -> None:
        most = _BLOCK_BYTES if device.type == "cpu" else _ACCELERATOR_BLOCK_BYTES
        self.rows = max(1, min(_MOST_ROWS, most // (4 * widest)))
        self._whole = device.type != "cpu"
        tile = self.rows * widest
        self.scratch = Scratch(tile if self._whole else min(tile, _TILE_ELEMENTS), device)

    def tiles(self, rows: int, width: int) -> list[slice]:
        """The ids of each tile of so many rows, of all ids below `width`."""
        most = width if self._whole else max(_LEAST_TILE, _TILE_ELEMENTS // rows // 64 * 64)
        return [slice(start, min(start + most, width)) for start in range(0, width, most)]


class Heads:
    """The heads of a pair. One pass uses it at a time: its scratch is written over."""

    def __init__(self, base: CausalModel, aligned: CausalModel, k: int) -> None:
        self._base, self._aligned, self._k = base, aligned, k
        self._blocks = Blocks(max(base.vocabulary, aligned.vocabulary), base.device)

    def numbers(
        self,
        hidden: tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
        check: Callable[[], None] = lambda: None,
    ) -> PairTensors:
        """Numbers of r rows: hidden states [r, D] and targets int64 [r] of base and aligned. `check` may raise."""
        (rows,) = numbers_of_several([self], hidden[0], [hidden[1]], targets[0], [targets[1]], check)
        return rows

    @property
    def block_rows(self) -> int:
        """How many rows are taken at a time."""
        return self._blocks.rows

    def base_block(self, hidden: torch.Tensor, ids: torch.Tensor) -> BaseBlock:
        """The base model's numbers of a block of rows."""
        cut = self._blocks.tiles(len(ids), self._base.vocabulary)
        return BaseBlock(self._base.tiles(hidden, cut), ids, self._k, self._blocks.scratch)

    def beside(self, base: BaseBlock, hidden: torch.Tensor, ids: torch.Tensor) -> PairTensors:
        """The numbers of both models, of which the base model's are there."""
        cut = self._blocks.tiles(len(ids), self._aligned.vocabulary)
        early = self._aligned.logits_of(hidden, ids) if len(cut) > 1 else None
        tiles = self._aligned.tiles(hidden, cut)
        rows, unranked = base.beside(tiles, ids, self._k, self._blocks.scratch, early)
        if bool(unranked.any()):
            again = unranked.nonzero().squeeze(1)
            rows.aligned.rank[again] = self._ranked(hidden[again], ids[again])
        return rows

    def _ranked(self, hidden: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Aligned ranks of rows whose logits came out otherwise when they were taken apart; all logits are kept."""
        tiles = [*self._aligned.tiles(hidden, self._blocks.tiles(len(ids), self._aligned.vocabulary))]
        own = torch.cat(tiles, dim=1).gather(1, ids.unsqueeze(1)).squeeze(1)
        ranks = torch.ones(len(ids), dtype=torch.int32, device=ids.device)
        for tile in tiles:
            ranks += above(tile, own, tile[:, :0], self._blocks.scratch)
        return ranks


def numbers_of_several(
    heads: Sequence[Heads],
    base_hidden: torch.Tensor,
    aligned_hidden: Sequence[torch.Tensor],
    base_ids: torch.Tensor,
    aligned_ids: Sequence[torch.Tensor],
    check: Callable[[], None] = lambda: None,
) -> list[PairTensors]:
    """Numbers of r rows under one base model beside each of several aligned models, by the heads of each pair.

    Hidden states [r, D] and ids int64 [r]. The pairs must have as many rows in a block (`block_rows`): the base model's
    logits of a block are then taken once, and its numbers are those that it has in each of the pairs.
    """
    found: list[list[PairTensors]] = [[] for _ in heads]
    for block in even_slices(len(base_hidden), heads[0].block_rows):
        check()
        base = heads[0].base_block(base_hidden[block], base_ids[block])
        for rows, head, hidden, ids in zip(found, heads, aligned_hidden, aligned_ids, strict=True):
            rows.append(head.beside(base, hidden[block], ids[block]))
        # Its logits are let go of before those of the next block are taken, not after.
        del base
    return [joined(rows) for rows in found]


def side_numbers(
    model: CausalModel,
    blocks: Blocks,
    k: int,
    hidden: torch.Tensor,
    targets: torch.Tensor,
    others: Sequence[int] | None = None,
    check: Callable[[], None] = lambda: None,
) -> tuple[SideTensors, torch.Tensor]:
    """One model's numbers of rows with hidden states [r, D] and targets int64 [r], on the CPU, and the ranks of
    `others`.

    The rank of another id is 0 where that id is below 0, and where there are none.
    """
    wanted = None if others is None else torch.tensor(others, dtype=torch.int64, device=model.device)
    sides: list[SideTensors] = []
    ranks: list[torch.Tensor] = []
    for block in even_slices(len(hidden), blocks.rows):
        check()
        others_here = None if wanted is None else wanted[block]
        tiles = model.tiles(hidden[block], blocks.tiles(block.stop - block.start, model.vocabulary))
        side, ranked = side_tensors(tiles, targets[block], k, blocks.scratch, others_here)
        sides.append(side.map(torch.Tensor.cpu))
        ranks.append(ranked.cpu())
    return joined_side(sides), torch.cat(ranks)


def even_slices(count: int, most: int) -> list[slice]:
    """Slices of at most `most` that cover `count`, of nearly the same size."""
    number = -(-count // most)
    bounds = [count * i // number for i in range(number + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]
