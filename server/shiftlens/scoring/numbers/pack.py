"""From tensors to the light records that leave the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from shiftlens.scores.columns import int32_column, uint32_column
from shiftlens.scores.records import Alignment, Comparison, ScoredResponse, ScoringModel, SideScores
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.tensors import PairTensors, SideTensors
from shiftlens.scoring.passes.plan import response_groups
from shiftlens.text.groups import Group


@dataclass(frozen=True, slots=True)
class _Tokens:
    """One model's tokens of a response without its end; which positions are kept, and where each ends, in bytes."""

    ids: Sequence[int]
    kept: Sequence[int]
    byte_ends: Sequence[int]


def pack(
    prepared: Prepared,
    tensors: PairTensors,
    encoders: tuple[TextEncoder, TextEncoder],
    models: tuple[ScoringModel, ScoringModel] = (ScoringModel(), ScoringModel()),
    *,
    with_decoded: bool = False,
) -> ScoredResponse:
    """The record of the positions scored so far, which are complete groups in a pair of two vocabularies.

    `encoders` and `models` are base and aligned; `with_decoded` adds each id's text as the tokenizer decodes it.
    """
    every, ends = _reported(prepared)
    kept = [position for position in every if position < len(tensors.kl)]
    aligned_tokens = base_tokens = _Tokens(prepared.ids, kept, ends[: len(kept)])
    base_encoder, groups = encoders[1], None
    if prepared.base_encoding is not None:
        groups = [group for group in response_groups(prepared) if group.end <= len(kept)]
        count = groups[-1].other_end if groups else 0
        base_ends = (*prepared.base_encoding.byte_ends, prepared.base_encoding.byte_ends[-1])[:count]
        base_tokens, base_encoder = _Tokens(prepared.base_encoding.ids, range(count), base_ends), encoders[0]
    notes = prepared.notes
    if len(kept) < len(every):
        notes = (*notes, f"{len(kept)} of {len(every)} positions are scored.")
    return ScoredResponse(
        base=_side(prepared, prepared.base, base_tokens, tensors.base, base_encoder, models[0], with_decoded),
        aligned=_side(
            prepared, prepared.aligned, aligned_tokens, tensors.aligned, encoders[1], models[1], with_decoded
        ),
        comparison=Comparison(
            base_rank_of_aligned_top=_bytes(tensors.base_rank_of_aligned_top[kept], torch.int32),
            kl=b"" if prepared.base_encoding is not None else _bytes(tensors.kl[kept], torch.float32),
            boundary=bytes(
                int(position in prepared.separate_starts or (position == 0 and prepared.boundary_first))
                for position in kept
            ),
            alignment=None if groups is None else _alignment(groups),
            notes=notes,
            loss_mask=bytes(prepared.loss_mask[position] for position in kept) if prepared.loss_mask else b"",
        ),
    )


def reported_positions(prepared: Prepared) -> list[int]:
    """The positions that have a place in the file, which are the rows of a record of all of them."""
    return _reported(prepared)[0]


def _reported(prepared: Prepared) -> tuple[list[int], list[int]]:
    """The positions that have a place in the file, and where in the scored parts each ends, in bytes."""
    reported = prepared.reported
    if reported is None:
        positions, ends = list(range(len(prepared.ids))), list(prepared.byte_ends)
    else:
        positions, ends = list(reported.positions), list(reported.byte_ends)
    return ([*positions, len(prepared.ids)], [*ends, ends[-1]]) if prepared.ends else (positions, ends)


def _alignment(groups: Sequence[Group]) -> Alignment:
    of_position = [group for group in groups for _ in range(group.end - group.first)]
    return Alignment(
        first=int32_column(group.first for group in of_position),
        base_first=uint32_column(group.other_first for group in of_position),
        base_tokens=uint32_column(group.other_end - group.other_first for group in of_position),
    )


def _side(
    prepared: Prepared,
    side: PreparedSide,
    tokens: _Tokens,
    tensors: SideTensors,
    encoder: TextEncoder,
    model: ScoringModel,
    with_decoded: bool,
) -> SideScores:
    every_id = (*tokens.ids, side.end_id)
    ids = [every_id[position] for position in tokens.kept]
    if len(ids) < len(tensors.logprob):
        tensors = tensors.map(lambda column: column[list(tokens.kept)])
    special = encoder.pieces.special_ids
    named = {*ids, side.end_id, *tensors.top_ids.flatten().tolist()} - {-1}
    full = side.full_context_positions
    return SideScores(
        model=model,
        prefix_text=side.prefix_text,
        prefix_ids=side.prefix_ids,
        end_id=side.end_id,
        k=tensors.top_ids.shape[-1],
        ids=int32_column(ids),
        byte_ends=uint32_column(tokens.byte_ends),
        special=bytes(int(i in special) for i in ids),
        logprob=_bytes(tensors.logprob, torch.float32),
        rank=_bytes(tensors.rank, torch.int32),
        entropy=_bytes(tensors.entropy, torch.float32),
        top_ids=_bytes(tensors.top_ids, torch.int32),
        top_logprobs=_bytes(tensors.top_logprobs, torch.float32),
        pieces=dict(zip(named, encoder.pieces.of(named), strict=True)),
        decoded={i: str(encoder.tokenizer.decode([i])) for i in named} if with_decoded else {},
        full_context_rows=None if full is None else sum(position < full for position in tokens.kept),
        parts=prepared.parts,
    )


def _bytes(values: torch.Tensor, dtype: torch.dtype) -> bytes:
    return values.to(dtype).contiguous().numpy().tobytes()
