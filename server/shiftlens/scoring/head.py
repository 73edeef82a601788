"""From states to numbers: both LM heads over the same block of rows, in memory that is allotted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch

from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.rows import PairRows, joined, pair_rows

BLOCK_BYTES = 160 << 20
"""Both models' logits of one block. Fewer, larger blocks read the heads' weights less often."""

_CACHED_ELEMENTS = 1_250_000
"""Logits whose numbers are taken at a time on a CPU, so that they stay in its cache."""

_MOST_ROWS = 512


class Heads:
    """The heads of a pair. One pass uses it at a time: its blocks are written over."""

    def __init__(self, base: CausalModel, aligned: CausalModel, k: int) -> None:
        self._base, self._aligned, self._k = base, aligned, k
        widest = max(base.vocabulary, aligned.vocabulary)
        self._rows = max(1, min(_MOST_ROWS, BLOCK_BYTES // (4 * (base.vocabulary + aligned.vocabulary))))
        self._part = max(1, _CACHED_ELEMENTS // widest) if base.device.type == "cpu" else self._rows
        self._blocks = [torch.empty(self._rows, model.vocabulary, device=model.device) for model in (base, aligned)]
        self._scratch = torch.empty(min(self._part, self._rows) * widest, device=base.device)

    def numbers(
        self,
        states: tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
        check: Callable[[], None] = lambda: None,
    ) -> PairRows:
        """Numbers of r rows: states [r, D] and targets int64 [r] of base and aligned. `check` may raise."""
        return joined(list(self._in_blocks(states, targets, check)))

    def _in_blocks(
        self,
        states: tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
        check: Callable[[], None],
    ) -> Iterator[PairRows]:
        rows = len(states[0])
        for block in even_slices(rows, self._rows):
            check()
            size = block.stop - block.start
            base = self._base.logits(states[0][block], self._blocks[0][:size])
            aligned = self._aligned.logits(states[1][block], self._blocks[1][:size])
            own = targets[0][block], targets[1][block]
            for part in even_slices(size, self._part):
                yield pair_rows(base[part], aligned[part], own[0][part], own[1][part], self._k, self._scratch)


def even_slices(count: int, most: int) -> list[slice]:
    """Slices of at most `most` that cover `count`, of nearly the same size."""
    number = -(-count // most)
    bounds = [count * i // number for i in range(number + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]
