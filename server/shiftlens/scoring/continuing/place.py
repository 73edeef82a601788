"""A position of a response as both models have it: what each was given so far, and what ends a text for it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import msgspec

from shiftlens.errors import ScoringError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.answered_conversation import AnsweredConversation
from shiftlens.scoring.inputs.chat import render_chat
from shiftlens.scoring.inputs.contexts import TEMPLATE_PREFIX, render_named
from shiftlens.scoring.inputs.ends import aligned_end_id
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.inputs.template_rendering import chat_template_of
from shiftlens.scoring.inputs.tokenized import TokenizedModel
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.plan import response_groups

_STAND_IN = "x"


@dataclass(frozen=True, slots=True)
class SidePlace:
    """One model at the place: the ids before it, context included, those that end a text, and bytes that do.

    `end_id` is the one that scores take for the end of the response, where there is a response.
    """

    before: tuple[int, ...]
    end_ids: frozenset[int]
    close: bytes = b""
    end_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A position. `position` counts the positions of the response as its scores have them, `positions` is how many
    there are, and `byte` is where the position begins in the texts of the scored parts.

    `said` are the aligned model's ids of the response from there on, without its end.
    """

    base: SidePlace
    aligned: SidePlace
    position: int
    positions: int
    byte: int
    said: tuple[int, ...]
    notes: tuple[str, ...]


def place_in(pair: OpenedPair, response: ResponseToScore, options: ScoreOptions, position: int) -> Place:
    """The place of a position; that before an answer which is not there yet, where a response has no text.

    Raises ScoringError where there is no such position, or the context can't be made.
    """
    if not any(part.text for part in response.parts):
        return _before_an_answer(pair, response, options, position)
    prepared = pair.prepare(response, options)
    rows, ends = _positions(prepared)
    if not 0 <= position < len(rows):
        raise ScoringError(
            f"The response has no position {position}: it has {len(rows)}, counted from 0.",
            f"Name one from 0 to {len(rows) - 1}.",
        )
    notes = list(prepared.notes)
    row, base_ids = rows[position], prepared.ids
    base_row = row
    if prepared.base_encoding is not None:
        groups = response_groups(prepared)
        group = groups[bisect_right(groups, row, key=lambda each: each.first) - 1]
        base_ids, base_row = prepared.base_encoding.ids, group.other_first
        if group.first != row:
            notes.append(
                f"Position {position} is inside of a token of the base model: both models go on from position"
                f" {position - (row - group.first)}, where tokens of both begin."
            )
            position, row = position - (row - group.first), group.first
    closes = _closes(options)
    base = _side(pair.base.loaded, prepared.base, base_ids[:base_row], closes[0])
    aligned = _side(pair.aligned.loaded, prepared.aligned, prepared.ids[:row], closes[1])
    return Place(
        base=base,
        aligned=aligned,
        position=position,
        positions=len(rows),
        byte=ends[position - 1] if position else 0,
        said=prepared.ids[row:],
        notes=tuple(notes),
    )


def _positions(prepared: Prepared) -> tuple[list[int], list[int]]:
    """The rows that scores have, and where each ends in bytes."""
    reported = prepared.reported
    if reported is None:
        rows, ends = list(range(len(prepared.ids))), list(prepared.byte_ends)
    else:
        rows, ends = list(reported.positions), list(reported.byte_ends)
    return ([*rows, len(prepared.ids)], [*ends, ends[-1]]) if prepared.ends else (rows, ends)


def _side(loaded: TokenizedModel, side: PreparedSide, before: tuple[int, ...], close: str) -> SidePlace:
    ids = (*side.prefix_ids, *before)
    check_room(loaded, len(ids), 1)
    # Where a context closes with a line break and a fence, a line break by itself ends nothing.
    ends = () if close and not loaded.encoder.pieces[side.end_id].strip() else (side.end_id,)
    return SidePlace(ids, frozenset((*ends, *loaded.end_ids())), close.encode("utf-8"), side.end_id)


def check_room(loaded: TokenizedModel, before: int, more: int) -> None:
    """Raises ScoringError where a model does not take so many tokens more behind those `before`."""
    most = loaded.max_positions
    if most is not None and before + more > most:
        raise ScoringError(
            f"{loaded.name} takes {most} tokens, and there are {before} before this position, so that"
            f" {'nothing' if more == 1 else f'no {more} tokens'} can follow.",
            "Choose an earlier position, or a model that takes more.",
        )


def _closes(options: ScoreOptions) -> tuple[str, str]:
    """The texts that close a response in the contexts of base and aligned model; "" for none of their own."""
    names = ("aligntds", "chat") if options.compat else (options.base_context, options.aligned_context)
    base, aligned = ("" if name == "chat" or name.startswith(TEMPLATE_PREFIX) else render_named(name, ()).close
                     for name in names)  # fmt: skip
    return base, aligned


def _before_an_answer(pair: OpenedPair, response: ResponseToScore, options: ScoreOptions, position: int) -> Place:
    if position:
        raise ScoringError("The response is empty.", "Its only position is 0.")
    asked = msgspec.structs.replace(response, parts=one_text(_STAND_IN), verbatim_prefix=None)
    prompt, end, notes = "", "", pair.notes
    if "chat" in (options.base_context, options.aligned_context):
        rendering = render_chat(pair.aligned.loaded.encoder.tokenizer, asked)
        prompt, end, notes = _prompt(pair.aligned.loaded, asked), rendering.end, (*notes, *rendering.notes)
    aligned = _context(pair.aligned.loaded, options.aligned_context, response.turns, prompt)
    if options.base_context == "chat" and pair.same_tokens:
        base = aligned
    else:
        base = _context(pair.base.loaded, options.base_context, response.turns, prompt)
    end_id = aligned_end_id(pair.aligned.loaded, end)
    ends = (end_id, *pair.aligned.loaded.end_ids())
    base_ends = ends if options.base_context == "chat" and pair.same_tokens else ()
    closes = _closes(options)
    check_room(pair.base.loaded, len(base), 1)
    check_room(pair.aligned.loaded, len(aligned), 1)
    return Place(
        base=SidePlace(base, frozenset((*base_ends, *pair.base.loaded.end_ids())), closes[0].encode("utf-8")),
        aligned=SidePlace(aligned, frozenset(ends), closes[1].encode("utf-8")),
        position=0,
        positions=1,
        byte=0,
        said=(),
        notes=notes,
    )


def _prompt(aligned: TokenizedModel, response: ResponseToScore) -> str:
    """The conversation with the generation prompt, as the aligned model's template writes it."""
    template = chat_template_of(aligned.encoder.tokenizer, with_tools=bool(response.tools))
    return AnsweredConversation(template, response.turns, response.parts, response.tools).prompt


def _context(loaded: TokenizedModel, name: str, turns: tuple[ContextTurn, ...], prompt: str) -> tuple[int, ...]:
    if name == "chat":
        ids = loaded.encoder.encode(prompt).ids
    else:
        ids = (*loaded.encoder.leading_ids, *loaded.encoder.encode(render_named(name, turns).prefix).ids)
    if not ids:
        raise ScoringError(f"{loaded.name} would be given nothing to answer.", "Choose another base context.")
    lacking = next((i for i in ids if i >= loaded.vocabulary), None)
    if lacking is not None:
        raise ScoringError(
            f"{loaded.name} has no token with the id {lacking}, which the aligned model added.",
            "Choose another base context than `chat`.",
        )
    return ids


def tokens_behind(encoder: TextEncoder, before: tuple[int, ...], text: str) -> tuple[tuple[int, ...], bool]:
    """The ids of a text that stands behind these ids, and whether they come apart cleanly from what is before.

    The text is encoded behind the last tokens before it, since some tokenizers put a space before what begins a text;
    where the two come apart otherwise than at the place, it is encoded by itself.
    """
    for count in range(1, min(4, len(before)) + 1):
        last = before[-count:]
        try:
            anchor = b"".join(encoder.pieces.of(last)).decode("utf-8")
        except UnicodeDecodeError:
            continue
        for lead in dict.fromkeys((anchor, anchor.removeprefix(" "))):
            own, both = encoder.encode(lead).ids, encoder.encode(lead + text).ids
            # What begins a text may be encoded otherwise than behind others; what ends the anchor counts.
            if own[-1:] == last[-1:] and both[: len(own)] == own:
                return both[len(own) :], True
    return encoder.encode(text).ids, False
