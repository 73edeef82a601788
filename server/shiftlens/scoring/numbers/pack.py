"""From tensors to the light records that leave the engine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch

from shiftlens.scores.columns import (
    BASE_ONLY,
    SHORTENED_ALIGNED,
    SHORTENED_BASE,
    OwnTokens,
    ScoredResponse,
    SideColumns,
)
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.rows import PairRows, SideRows
from shiftlens.scoring.passes.apart import shared_ids
from shiftlens.scoring.passes.plan import response_groups


def pack(
    prepared: Prepared,
    rows: PairRows,
    encoder: TextEncoder,
    *,
    vocabularies: tuple[int, int] = (0, 0),
    with_decoded: bool = False,
) -> ScoredResponse:
    """The record of the rows scored so far.

    `vocabularies` are the base and the aligned model's; `with_decoded` adds each id's text as the tokenizer decodes it.
    """
    kept, ends = _reported(prepared)
    scored = len(rows.kl)
    places = [row for row in kept if row < scored]
    count, total = len(places), len(kept)
    if scored != count:
        rows = rows.map(lambda column: column[places])
    every_id = (*prepared.ids, prepared.aligned.end_id)
    ids = [every_id[row] for row in places]
    byte_ends = ends[:count]
    named = {*ids, prepared.base.end_id, prepared.aligned.end_id}
    for side in (rows.base, rows.aligned):
        named.update(side.top_ids.flatten().tolist())
    named = {i for i in named if 0 <= i < BASE_ONLY}
    special = encoder.pieces.special_ids
    boundary = bytes(int(row in prepared.apart or (row == 0 and prepared.boundary_first)) for row in places)
    tokenizer = encoder.tokenizer
    return ScoredResponse(
        k=rows.base.top_ids.shape[-1],
        ids=_bytes(torch.tensor(ids), torch.int32),
        byte_ends=_bytes(torch.tensor(byte_ends), torch.uint32),
        special=bytes(int(i in special) for i in ids),
        boundary=boundary,
        base=_side(prepared.base, rows.base, vocabularies[0]),
        aligned=_side(prepared.aligned, rows.aligned, vocabularies[1]),
        base_rank_of_aligned_top=_bytes(rows.base_rank_of_aligned_top, torch.int32),
        kl=_bytes(rows.kl, torch.float32),
        pieces={i: encoder.pieces[i] for i in named},
        decoded={i: str(tokenizer.decode([i])) for i in named} if with_decoded else {},
        notes=prepared.notes if count == total else (*prepared.notes, f"{count} of {total} positions are scored."),
        shortened=_shortened(prepared, places),
        parts=prepared.parts,
    )


def pack_apart(
    prepared: Prepared,
    rows: PairRows,
    encoders: tuple[TextEncoder, TextEncoder],
    vocabularies: tuple[int, int] = (0, 0),
) -> ScoredResponse:
    """The record of the rows scored so far under a pair of two vocabularies, which are whole groups.

    `encoders` and `vocabularies` are base and aligned.
    """
    if prepared.own is None:
        raise ValueError("these models have the same tokens")
    if not prepared.ends:
        rows = rows.part(0, min(len(rows.kl), len(prepared.ids)))
    count = len(rows.kl)
    base_ids = (*prepared.own.ids, prepared.base.end_id)
    of_row = [group for group in response_groups(prepared) for _ in range(group.end - group.first)][:count]
    own_ids = [base_ids[group.other_first] if group.is_one_to_one else -1 for group in of_row]
    tops = rows.base.top_ids
    named = {*tops.flatten().tolist(), *own_ids, prepared.base.end_id} - {-1}
    shared = shared_ids(sorted(named), encoders)
    top_ids = torch.tensor([shared.get(i, -1) for i in tops.flatten().tolist()], dtype=torch.int64).view_as(tops)
    logprob = rows.base.logprob.where(torch.tensor([group.is_one_to_one for group in of_row]), math.nan)
    whole = prepared.base.whole_rows
    if whole is not None:
        whole = sum(group.other_end <= whole for group in of_row)
    base = dataclasses.replace(prepared.base, end_id=shared[prepared.base.end_id], whole_rows=whole)
    packed = pack(
        dataclasses.replace(prepared, base=base),
        dataclasses.replace(rows, base=dataclasses.replace(rows.base, top_ids=top_ids, logprob=logprob)),
        encoders[1],
        vocabularies=vocabularies,
    )
    own = OwnTokens(
        ids=_bytes(torch.tensor([shared.get(i, -1) for i in own_ids]), torch.int32),
        first=_bytes(torch.tensor([group.first for group in of_row]), torch.int32),
        base_tokens=_bytes(torch.tensor([group.other_end - group.other_first for group in of_row]), torch.int32),
        logprob=_bytes(rows.base.logprob, torch.float32),
        base_ids={theirs: own_id for own_id, theirs in shared.items()},
    )
    pieces = {**packed.pieces, **{theirs: encoders[0].pieces[i] for i, theirs in shared.items()}}
    return dataclasses.replace(packed, pieces=pieces, own_tokens=own)


def _reported(prepared: Prepared) -> tuple[list[int], list[int]]:
    """The rows that have a place in the file, and where in the scored parts each ends, in bytes."""
    reported = prepared.reported
    if reported is None:
        rows, ends = list(range(len(prepared.ids))), list(prepared.byte_ends)
    else:
        rows, ends = list(reported.rows), list(reported.byte_ends)
    return ([*rows, len(prepared.ids)], [*ends, ends[-1]]) if prepared.ends else (rows, ends)


def _shortened(prepared: Prepared, places: Sequence[int]) -> bytes:
    flags = bytearray(len(places))
    for side, flag in ((prepared.base, SHORTENED_BASE), (prepared.aligned, SHORTENED_ALIGNED)):
        if side.whole_rows is not None:
            for at, row in enumerate(places):
                flags[at] |= flag if row >= side.whole_rows else 0
    return bytes(flags) if any(flags) else b""


def _side(prepared: PreparedSide, rows: SideRows, vocabulary: int) -> SideColumns:
    return SideColumns(
        prefix_text=prepared.prefix_text,
        prefix_ids=prepared.prefix_ids,
        end_id=prepared.end_id,
        logprob=_bytes(rows.logprob, torch.float32),
        rank=_bytes(rows.rank, torch.int32),
        entropy=_bytes(rows.entropy, torch.float32),
        top_ids=_bytes(rows.top_ids, torch.int32),
        top_logprobs=_bytes(rows.top_logprobs, torch.float32),
        vocabulary=vocabulary,
    )


def _bytes(values: torch.Tensor, dtype: torch.dtype) -> bytes:
    return values.to(dtype).contiguous().numpy().tobytes()
