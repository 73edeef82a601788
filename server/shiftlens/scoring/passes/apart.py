"""Pairs of two vocabularies: each model scores its own tokens of the response, and the rows are laid side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.formulae import side_rows
from shiftlens.scoring.numbers.head import Blocks, even_slices
from shiftlens.scoring.numbers.rows import PairRows, SideRows, joined_side
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.plan import RowGroup

_NOT_THERE = -1


class ApartHeads:
    """As `Heads`, for two vocabularies: one model's logits are in memory at a time."""

    def __init__(
        self, base: CausalModel, aligned: CausalModel, k: int, encoders: tuple[TextEncoder, TextEncoder]
    ) -> None:
        self._base, self._aligned, self._k, self._encoders = base, aligned, k, encoders
        self._aligned_added = encoders[1].tokenizer.added_tokens_decoder
        self._base_added = {token.content: i for i, token in encoders[0].tokenizer.added_tokens_decoder.items()}
        self._blocks = Blocks(max(base.vocabulary, aligned.vocabulary), base.device)

    def numbers(
        self,
        states: tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
        groups: Sequence[RowGroup],
        check: Callable[[], None] = lambda: None,
    ) -> PairRows:
        """Numbers of the rows of these groups, on the CPU.

        States [r, D] and targets int64 [r] of base and aligned, each of its own number of rows. KL is no number, and
        the aligned model's most likely token has a rank under the base model on the first row of a group only.
        `check` may raise.
        """
        aligned, _ = self._alone(self._aligned, states[1], targets[1], None, check)
        tops = aligned.top_ids[:, 0].tolist()
        others = [_NOT_THERE] * len(targets[0])
        for group in groups:
            others[group.place.other_first] = self._as_base_id(tops[group.place.first], group.end_ids)
        base, ranks = self._alone(self._base, states[0], targets[0], others, check)
        return _side_by_side(groups, base, ranks, aligned)

    def _as_base_id(self, top: int, end_ids: tuple[int, int]) -> int:
        """The base model's id for a first choice of the aligned model; -1 where it has no such token."""
        base, aligned = self._encoders
        if top == end_ids[1]:
            return end_ids[0]
        if top in self._aligned_added:
            return self._base_added.get(self._aligned_added[top].content, _NOT_THERE)
        return base.id_of_bytes.get(aligned.pieces[top], _NOT_THERE)

    def _alone(
        self,
        model: CausalModel,
        states: torch.Tensor,
        targets: torch.Tensor,
        others: Sequence[int] | None,
        check: Callable[[], None],
    ) -> tuple[SideRows, torch.Tensor]:
        """One model's numbers, on the CPU, and the ranks of `others`."""
        wanted = None if others is None else torch.tensor(others, dtype=torch.int64, device=model.device)
        sides: list[SideRows] = []
        ranks: list[torch.Tensor] = []
        for block in even_slices(len(states), self._blocks.rows):
            check()
            others_here = None if wanted is None else wanted[block]
            tiles = model.tiles(states[block], self._blocks.tiles(block.stop - block.start, model.vocabulary))
            side, ranked = side_rows(tiles, targets[block], self._k, self._blocks.scratch, others_here)
            sides.append(side.map(torch.Tensor.cpu))
            ranks.append(ranked.cpu())
        return joined_side(sides), torch.cat(ranks)


def _side_by_side(groups: Sequence[RowGroup], base: SideRows, ranks: torch.Tensor, aligned: SideRows) -> PairRows:
    """The rows of each model, and what takes both: a group has what the base model says before it, on its first row."""
    places = [group.place for group in groups]
    n = aligned.top_ids.shape[0]
    firsts = torch.tensor([place.first for place in places])
    before = torch.tensor([place.other_first for place in places])
    of_row = _numbered([place.end - place.first for place in places])
    of_base_row = _numbered([place.other_end - place.other_first for place in places])
    # A group is broken by any of its rows, not only by the one before it.
    broken = torch.zeros(len(places), dtype=torch.bool)
    broken[of_base_row[base.broken]] = True
    of_top = torch.zeros(n, dtype=ranks.dtype).index_copy(0, firsts, ranks[before])
    return PairRows(base, aligned, torch.full((n,), math.nan), of_top, broken[of_row])


def _numbered(sizes: Sequence[int]) -> torch.Tensor:
    """The number of its group for each row of groups of these sizes."""
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
