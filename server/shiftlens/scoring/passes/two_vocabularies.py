"""Pairs of two vocabularies: each model scores its own tokens, and the positions are laid side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.head import Blocks, side_numbers
from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.plan import PositionGroup

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
        """How many positions are taken at a time, of the widest vocabulary."""
        return self._blocks.rows

    def numbers(
        self,
        hidden: tuple[torch.Tensor, torch.Tensor],
        targets: tuple[torch.Tensor, torch.Tensor],
        groups: Sequence[PositionGroup],
        check: Callable[[], None] = lambda: None,
    ) -> PairTensors:
        """Numbers of the positions of these groups, on the CPU.

        Hidden states [r, D] and targets int64 [r] of base and aligned, each of its own number of positions. KL is no
        number, and the aligned model's most likely token has a rank under the base model on the first position of a
        group only. `check` may raise.
        """
        aligned, _ = side_numbers(self._aligned, self._blocks, self._k, hidden[1], targets[1], None, check)
        tops = aligned.top_ids[:, 0].tolist()
        others = [_NOT_THERE] * len(targets[0])
        for group in groups:
            others[group.span.other_first] = self._base_ids.of(tops[group.span.first], group.end_ids)
        base, ranks = side_numbers(self._base, self._blocks, self._k, hidden[0], targets[0], others, check)
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


def side_by_side(
    groups: Sequence[PositionGroup], base: SideTensors, ranks: torch.Tensor, aligned: SideTensors
) -> PairTensors:
    """The numbers of each model, and those that take both.

    The base model's rank of the aligned model's most likely token is known at the first position of a group only.
    """
    spans = [group.span for group in groups]
    n = aligned.top_ids.shape[0]
    firsts = torch.tensor([span.first for span in spans])
    before = torch.tensor([span.other_first for span in spans])
    of_position = _numbered([span.end - span.first for span in spans])
    of_base_position = _numbered([span.other_end - span.other_first for span in spans])
    # A group is broken by any of its positions, not only by the one before it.
    broken = torch.zeros(len(spans), dtype=torch.bool)
    broken[of_base_position[base.broken]] = True
    of_top = torch.zeros(n, dtype=ranks.dtype).index_copy(0, firsts, ranks[before])
    return PairTensors(base, aligned, torch.full((n,), math.nan), of_top, broken[of_position])


def _numbered(sizes: Sequence[int]) -> torch.Tensor:
    """The number of its group for each position of groups of these sizes."""
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
