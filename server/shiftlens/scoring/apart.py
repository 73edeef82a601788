"""Pairs of two vocabularies: each model scores its own tokens of the response, and the rows are laid side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch

from shiftlens.geometry.groups import Group, common_groups
from shiftlens.models.prepare import Prepared
from shiftlens.models.tokens import TextEncoder
from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.columns import BASE_ONLY
from shiftlens.scoring.head import even_slices
from shiftlens.scoring.plan import SidePlan, side_plan
from shiftlens.scoring.rows import PairRows, SideRows, joined_side, side_rows
from shiftlens.scoring.stream import RowStream
from shiftlens.scoring.windows import WindowedStream

_BLOCK_BYTES = 40 << 20
_NOT_THERE = -1


class ApartRows:
    """The rows of a response under both models, and the groups that the base model's tokens make with the response's.

    `rows` has n + 1 rows, as the response's tokens go; ids of the base side are its own, -1 where there is none.
    """

    def __init__(self, rows: PairRows, groups: Sequence[Group], base: SideRows, base_ids: Sequence[int]) -> None:
        self.rows = rows
        self.ids: list[int] = []
        self.first: list[int] = []
        self.base_tokens: list[int] = []
        self.base_ends: list[int] = []
        self.logprob: list[float] = []
        logprobs = base.logprob.tolist()
        for group in groups:
            count = group.end - group.first
            self.ids += [base_ids[group.other_first] if group.is_one_to_one else _NOT_THERE] * count
            self.first += [group.first] * count
            self.base_tokens += [group.other_end - group.other_first] * count
            self.base_ends += [group.other_end] * count
            self.logprob += [math.fsum(logprobs[group.other_first : group.other_end])] * count


@torch.inference_mode()
def score_apart(
    models: tuple[CausalModel, CausalModel],
    encoders: tuple[TextEncoder, TextEncoder],
    prepared: Prepared,
    k: int,
    stretch: int,
    check: Callable[[], None] = lambda: None,
) -> ApartRows:
    """Score a response under base and aligned, each with its own tokens (`prepared.own`). `check` may raise."""
    own = prepared.own
    if own is None:
        raise ValueError("these models have the same tokens")
    at = prepared.byte_ends[-1]
    groups = common_groups(prepared.byte_ends, own.byte_ends)
    groups.append(Group(len(prepared.ids), len(prepared.ids) + 1, len(own.ids), len(own.ids) + 1))
    if at != own.byte_ends[-1]:
        raise ValueError("the tokens of the two models are not of the same text")
    aligned, _ = _alone(models[1], side_plan(prepared.aligned, prepared.ids), k, stretch, check)
    tops = _tops_as_base_ids(prepared, encoders, aligned.top_ids[:, 0].tolist())
    others = [_NOT_THERE] * (len(own.ids) + 1)
    for group in groups:
        others[group.other_first] = tops[group.first]
    base, ranks = _alone(models[0], side_plan(prepared.base, own.ids), k, stretch, check, others)
    rows = _side_by_side(groups, base, ranks, aligned)
    return ApartRows(rows, groups, base, (*own.ids, prepared.base.end_id))


def shared_ids(base_ids: Sequence[int], encoders: tuple[TextEncoder, TextEncoder]) -> dict[int, int]:
    """For each id of the base model, the id that stands for it: see `columns.OwnTokens`."""
    base, aligned = encoders
    added = base.tokenizer.added_tokens_decoder
    found: dict[int, int] = {}
    for i in base_ids:
        piece = b"" if i in added else base.pieces[i]
        found[i] = aligned.id_of_bytes.get(piece, BASE_ONLY + i) if piece else BASE_ONLY + i
    return found


def _tops_as_base_ids(prepared: Prepared, encoders: tuple[TextEncoder, TextEncoder], tops: Sequence[int]) -> list[int]:
    """The base model's id for each of the aligned model's first choices; -1 where it has no such token."""
    base, aligned = encoders
    added = aligned.tokenizer.added_tokens_decoder
    base_added = {token.content: i for i, token in base.tokenizer.added_tokens_decoder.items()}
    return [
        prepared.base.end_id
        if top == prepared.aligned.end_id
        else base_added.get(added[top].content, _NOT_THERE)
        if top in added
        else base.id_of_bytes.get(aligned.pieces[top], _NOT_THERE)
        for top in tops
    ]


def _alone(
    model: CausalModel,
    plan: SidePlan,
    k: int,
    stretch: int,
    check: Callable[[], None],
    others: Sequence[int] | None = None,
) -> tuple[SideRows, torch.Tensor]:
    """One model's numbers of all rows of a pass, on the CPU, and the ranks of `others`."""
    is_longer = model.positions is not None and len(plan.ids) > model.positions
    stream = (
        WindowedStream(model, plan, model.positions, stretch, check)
        if is_longer and model.positions is not None
        else RowStream(model, plan, stretch, check)
    )
    targets = torch.tensor(plan.targets, dtype=torch.int64, device=model.device)
    wanted = None if others is None else torch.tensor(others, dtype=torch.int64, device=model.device)
    most = max(1, _BLOCK_BYTES // (4 * model.vocabulary))
    room = torch.empty(most, model.vocabulary, device=model.device)
    sides: list[SideRows] = []
    ranks: list[torch.Tensor] = []
    bounds = [*range(0, len(plan.rows), stretch if model.keeps_cache else len(plan.rows)), len(plan.rows)]
    for start, end in itertools.pairwise(bounds):
        states = stream.upto(end)
        for block in even_slices(end - start, most):
            check()
            inside = slice(start + block.start, start + block.stop)
            logits = model.logits(states[block], room[: block.stop - block.start])
            side, ranked = side_rows(logits, targets[inside], k, None if wanted is None else wanted[inside])
            sides.append(side.map(torch.Tensor.cpu))
            ranks.append(ranked.cpu())
    return joined_side(sides), torch.cat(ranks)


def _side_by_side(groups: Sequence[Group], base: SideRows, ranks: torch.Tensor, aligned: SideRows) -> PairRows:
    """The aligned model's rows, with the base model's numbers as far as they are numbers there."""
    n, k = aligned.top_ids.shape[0], base.top_ids.shape[1]
    logprob = torch.full((n,), math.nan)
    rank = torch.zeros(n, dtype=torch.int32)
    entropy = torch.full((n,), math.nan)
    top_ids = torch.full((n, k), _NOT_THERE, dtype=torch.int64)
    top_logprobs = torch.full((n, k), -math.inf)
    of_top = torch.zeros(n, dtype=torch.int32)
    for group in groups:
        row, there = group.first, group.other_first
        rank[row : group.end] = base.rank[there : group.other_end].max()
        entropy[row] = base.entropy[there]
        top_ids[row], top_logprobs[row] = base.top_ids[there], base.top_logprobs[there]
        of_top[row] = ranks[there]
        if group.is_one_to_one:
            logprob[row] = base.logprob[there]
    side = SideRows(logprob, rank, entropy, top_ids, top_logprobs)
    return PairRows(side, aligned, torch.full((n,), math.nan), of_top)
