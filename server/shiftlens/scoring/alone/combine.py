"""The record of a response from the numbers of two models that were scored each by itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch

from shiftlens.backends.protocol import SideNumbers
from shiftlens.scores.columns import UNKNOWN_RANK
from shiftlens.scores.description import scoring_model
from shiftlens.scores.records import ScoredResponse
from shiftlens.scoring.alone.other_candidates import OfOther, with_others
from shiftlens.scoring.alone.sides import PairView
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.numbers.pack import pack, reported_positions
from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors
from shiftlens.scoring.passes.plan import PositionGroup, response_groups
from shiftlens.scoring.passes.two_vocabularies import BaseIds, side_by_side

_NOT_THERE = -1


def pair_tensors_of(pair: PairView, prepared: Prepared, base: SideNumbers, aligned: SideNumbers, k: int) -> PairTensors:
    """The numbers of both models side by side. KL is no number, and neither is an entropy that is not known."""
    base_tensors, aligned_tensors = side_tensors_of(base, k), side_tensors_of(aligned, k)
    tops = aligned_tensors.top_ids[:, 0].tolist()
    if prepared.base_encoding is None:
        targets = (*prepared.ids, prepared.base.end_id)
        rank_among = _ranks_among(base_tensors, targets)
        ranks = [rank_among(position, top) for position, top in enumerate(tops)]
        kl = torch.full((len(tops),), math.nan)
        of_top = torch.tensor(ranks, dtype=torch.int32)
        return PairTensors(base_tensors, aligned_tensors, kl, of_top, base_tensors.broken)
    ids = BaseIds(pair.encoders)
    end_ids = (prepared.base.end_id, prepared.aligned.end_id)
    targets = (*prepared.base_encoding.ids, prepared.base.end_id)
    groups = [PositionGroup(group, end_ids) for group in response_groups(prepared)]
    ranks = [UNKNOWN_RANK] * len(targets)
    rank_among = _ranks_among(base_tensors, targets)
    for group in groups:
        position, top = group.span.other_first, tops[group.span.first]
        other = ids.of(top, end_ids) if top >= 0 else _NOT_THERE
        ranks[position] = rank_among(position, other)
    return side_by_side(groups, base_tensors, torch.tensor(ranks, dtype=torch.int32), aligned_tensors)


def record_of(
    pair: PairView,
    prepared: Prepared,
    tensors: PairTensors,
    numbers: tuple[SideNumbers, SideNumbers],
    notes: tuple[str, ...] = (),
    *,
    of_other: OfOther | None = None,
    with_decoded: bool = False,
) -> ScoredResponse:
    """The record, with nothing in it that a model did not give. `notes` are what is to be said of the two models.

    `of_other` is what they gave each other's candidates, where both have the same tokens.
    """
    models = scoring_model(pair.base.description), scoring_model(pair.aligned.description)
    scored = pack(prepared, tensors, pair.encoders, models, with_decoded=with_decoded)
    base, aligned = scored.base, scored.aligned
    if not numbers[0].entropy:
        base = dataclasses.replace(base, entropy=b"")
    if not numbers[1].entropy:
        aligned = dataclasses.replace(aligned, entropy=b"")
    for side, had in zip((pair.base, pair.aligned), numbers, strict=True):
        if not had.k:
            name = side.description.name
            notes = (*notes, f"{name} gives no candidates that can be told from others by their texts.")
    told = () if of_other is None else of_other.notes
    every = tuple(dict.fromkeys((*scored.comparison.notes, *notes, *told)))
    comparison = dataclasses.replace(scored.comparison, kl=b"", notes=every)
    record = dataclasses.replace(scored, base=base, aligned=aligned, comparison=comparison)
    if of_other is None:
        return record
    return with_others(record, of_other, (numbers[0].k, numbers[1].k), reported_positions(prepared))


def side_tensors_of(numbers: SideNumbers, k: int) -> SideTensors:
    """Columns as tensors, with exactly `k` candidates at a position (-1 with -inf where there are fewer).

    A position whose logprob is NaN is broken, as its most likely candidate's logprob then tells (`SideTensors.broken`).
    """
    logprob = _tensor(numbers.logprob, torch.float32)
    n = len(logprob)
    top_ids = torch.full((n, k), _NOT_THERE, dtype=torch.int64)
    top_logprobs = torch.full((n, k), -math.inf)
    had = min(k, numbers.k)
    if had:
        top_ids[:, :had] = _tensor(numbers.top_ids, torch.int32).view(n, numbers.k)[:, :had]
        top_logprobs[:, :had] = _tensor(numbers.top_logprobs, torch.float32).view(n, numbers.k)[:, :had]
    top_logprobs[logprob.isnan(), 0] = math.nan
    entropy = _tensor(numbers.entropy, torch.float32) if numbers.entropy else torch.full((n,), math.nan)
    return SideTensors(logprob, _tensor(numbers.rank, torch.int32), entropy, top_ids, top_logprobs)


def _ranks_among(tensors: SideTensors, targets: Sequence[int]) -> Callable[[int, int], int]:
    """A function of a position and a token there: what is known of its rank, from the candidates of the position.

    `targets` are the tokens that were scored. As in a column of ranks: exact, minus the rank that it is above, or 0
    where nothing is known.
    """
    # Lists, since an operation on a tensor takes longer than one position's candidates.
    scored_ranks: list[int] = tensors.rank.tolist()
    ids: list[list[int]] = tensors.top_ids.tolist()
    logprobs: list[list[float]] = tensors.top_logprobs.tolist()

    def rank_among(position: int, token: int) -> int:
        if token < 0:
            return UNKNOWN_RANK
        if token == targets[position]:
            return scored_ranks[position]
        candidates = ids[position]
        if token in candidates:
            own = logprobs[position][candidates.index(token)]
            return 1 + sum(value > own for value in logprobs[position])
        return -sum(each >= 0 for each in candidates)

    return rank_among


def _tensor(column: bytes, dtype: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(bytearray(column), dtype=dtype) if column else torch.empty(0, dtype=dtype)
