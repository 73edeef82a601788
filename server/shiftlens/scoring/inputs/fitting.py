"""Texts longer than a model: which positions see all of their context, and what is said of the others."""

from __future__ import annotations

import dataclasses
from itertools import takewhile

from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide, prepare
from shiftlens.scoring.inputs.tokenized import TokenizedModel


def prepare_fitted(
    models: tuple[TokenizedModel, TokenizedModel],
    response: ResponseToScore,
    options: ScoreOptions,
    *,
    same_tokens: bool,
    notes: tuple[str, ...] = (),
) -> Prepared:
    """What to feed to base and aligned model, with what is to be said of the two. Raises ScoringError."""
    prepared = prepare(*models, response, options, same_tokens=same_tokens)
    base_ids = prepared.ids if prepared.base_encoding is None else prepared.base_encoding.ids
    base, about_base = fitted(models[0], prepared.base, len(base_ids))
    aligned, about_aligned = fitted(models[1], prepared.aligned, len(prepared.ids))
    notes = (*notes, *prepared.notes, *about_base, *about_aligned)
    return dataclasses.replace(prepared, base=base, aligned=aligned, notes=notes)


def fitted(loaded: TokenizedModel, side: PreparedSide, response_ids: int) -> tuple[PreparedSide, tuple[str, ...]]:
    """The side with what a pass in windows needs to know (see `scoring.passes.windows`), and the rule in words.

    There are words only for a side that does not fit the model.
    """
    most, needed = loaded.max_positions, len(side.prefix_ids) + response_ids
    if most is None:
        return side, ()
    tokenizer = loaded.encoder.tokenizer
    beginnings = {*loaded.encoder.leading_ids, tokenizer.bos_token_id}
    lead = len(list(takewhile(lambda i: i in beginnings, side.prefix_ids)))
    # Also where it fits: a text that grows goes on from the pass before it outgrew the model.
    side = dataclasses.replace(side, lead=lead)
    if needed <= most:
        return side, ()
    kept = f" behind the {lead} that begin{'s' if lead == 1 else ''} a text" if lead else ""
    note = (
        f"{loaded.name} takes {most} tokens; context and response have {needed}. What comes after the first {most} was"
        f" scored with a shortened context, more than {most // 2} tokens of what came before{kept}, and is flagged so."
    )
    # The distribution at position r of the response is read at the last id before its token.
    return dataclasses.replace(side, full_context_positions=most - len(side.prefix_ids) + 1), (note,)
