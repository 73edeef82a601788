"""Rank and probability of any text at a position, teacher-forced, under each model."""

from __future__ import annotations

from collections.abc import Callable

import torch

from shiftlens.errors import ScoringError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.continuations import RankedText, RankedToken
from shiftlens.scores.requests import ResponseToScore, well_formed
from shiftlens.scoring.continuing.place import check_room, place_in, tokens_behind
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.numbers.head import Blocks, side_numbers
from shiftlens.scoring.opening.opened import OpenedModel
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.batches import limits_of
from shiftlens.scoring.passes.memory import RememberedSide
from shiftlens.scoring.passes.plan import SidePlan
from shiftlens.scoring.passes.stream import HiddenStateStream


def ranked(
    pair: OpenedPair,
    response: ResponseToScore,
    options: ScoreOptions,
    position: int,
    text: str,
    check: Callable[[], None] = lambda: None,
) -> RankedText:
    """The text in place of what the response says from a position on. `check` may raise to stop.

    Raises ScoringError where there is no such position, or the text has no tokens or does not fit.
    """
    with template_budget(check):
        place = place_in(pair, response, options, position)
    text = well_formed(text)
    notes = list(place.notes)
    found: list[tuple[RankedToken, ...]] = []
    shared: tuple[int, ...] | None = None
    for model, side, of_base in ((pair.aligned, place.aligned, False), (pair.base, place.base, True)):
        if shared is None or not pair.same_tokens:
            ids, is_joint = tokens_behind(model.loaded.encoder, side.before, text)
            shared = ids
            if not ids:
                raise ScoringError("The text has no tokens.", "Name some text.")
            if not is_joint:
                notes.append(
                    f"For {model.loaded.name}, the text does not come apart as tokens from what stands before it; it"
                    " was tokenised by itself."
                )
        check_room(model.loaded, len(side.before), len(shared))
        kept = pair.memory.lent(side.before, of_base=of_base)
        found.append(_ranked(model, side.before, shared, kept, check))
    return RankedText(position=place.position, base=found[1], aligned=found[0], notes=tuple(notes))


@torch.inference_mode()
def _ranked(
    model: OpenedModel,
    before: tuple[int, ...],
    ids: tuple[int, ...],
    kept: RememberedSide | None,
    check: Callable[[], None],
) -> tuple[RankedToken, ...]:
    causal = model.causal
    lacking = [i for i in ids if i >= causal.vocabulary]
    pieces = model.loaded.encoder.pieces
    if lacking:
        raise ScoringError(
            f"{model.loaded.name} has no token with the id {lacking[0]}, which the aligned model added.",
            "Name text without it.",
        )
    first = len(before) - 1
    plan = SidePlan((*before, *ids[:-1]), tuple(range(first, first + len(ids))), ids)
    stream = HiddenStateStream(causal, plan, limits_of(causal.device, causal.parameters).chunk, check, resume=kept)
    states = stream.upto(len(ids))
    targets = torch.tensor(ids, dtype=torch.int64, device=causal.device)
    rows, _ = side_numbers(causal, Blocks(causal.vocabulary, causal.device), 1, states, targets, check=check)
    if bool(rows.broken.any()):
        raise ScoringError(
            f"The logits of {model.loaded.name} are NaN or infinite there, so that there is no rank.",
            "Choose another dtype (`shiftlens.dtype`, `--dtype`).",
        )
    return tuple(
        RankedToken(id=token, piece=pieces[token], rank=int(rank), logprob=float(logprob))
        for token, rank, logprob in zip(ids, rows.rank.tolist(), rows.logprob.tolist(), strict=True)
    )
