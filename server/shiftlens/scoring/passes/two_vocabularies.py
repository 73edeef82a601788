"""Pairs of two vocabularies: each model scores its own tokens of the response, and the rows are laid side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.head import Blocks, side_numbers
from shiftlens.scoring.numbers.rows import PairRows, SideRows
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.plan import RowGroup

_NOT_THERE = -1


class TwoVocabularyHeads:
    """As `Heads`, for two vocabularies: one model's logits are in memory at a time."""

    def __init__(
        self, base: CausalModel, aligned: CausalModel, k: int, encoders: tuple[TextEncoder, TextEncoder]
    ) -> None:
        self._base, self._aligned, self._k = base, aligned, k
        self._base_ids = BaseIds(encoders)
        self._blocks = Blocks(max(base.vocabulary, aligned.vocabulary), base.device)

    @property
    def block_rows(self) -> int:
        """How many rows are taken at a time, of the widest vocabulary."""
        return self._blocks.rows

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
        aligned, _ = side_numbers(self._aligned, self._blocks, self._k, states[1], targets[1], None, check)
        tops = aligned.top_ids[:, 0].tolist()
        others = [_NOT_THERE] * len(targets[0])
        for group in groups:
            others[group.place.other_first] = self._base_ids.of(tops[group.place.first], group.end_ids)
        base, ranks = side_numbers(self._base, self._blocks, self._k, states[0], targets[0], others, check)
        return side_by_side(groups, base, ranks, aligned)


class BaseIds:
    """Which id of the base model stands for one of the aligned model, in a pair of two vocabularies."""

    def __init__(self, encoders: tuple[TextEncoder, TextEncoder]) -> None:
        self._encoders = encoders
        self._aligned_added = encoders[1].tokenizer.added_tokens_decoder
        self._base_added = {token.content: i for i, token in encoders[0].tokenizer.added_tokens_decoder.items()}

    def of(self, aligned_id: int, end_ids: tuple[int, int]) -> int:
        """The base model's id; -1 where it has no such token. `end_ids` end a response under base and aligned model."""
        base, aligned = self._encoders
        if aligned_id == end_ids[1]:
            return end_ids[0]
        if aligned_id in self._aligned_added:
            return self._base_added.get(self._aligned_added[aligned_id].content, _NOT_THERE)
        return base.id_of_bytes.get(aligned.pieces[aligned_id], _NOT_THERE)


def side_by_side(groups: Sequence[RowGroup], base: SideRows, ranks: torch.Tensor, aligned: SideRows) -> PairRows:
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
