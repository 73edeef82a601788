"""What each model of the pair is to be fed for one response: prefix ids, response ids, end ids, flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.errors import ScoringError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.records import LossMask
from shiftlens.scores.requests import ContextTurn, ResponseToScore
from shiftlens.scoring.inputs.chat import ChatRendering, render_chat
from shiftlens.scoring.inputs.contexts import ContextText, about_context, aligntds_query, render_named
from shiftlens.scoring.inputs.ends import aligned_end_id, closing_id, end_in
from shiftlens.scoring.inputs.layout import Reported, laid_out
from shiftlens.scoring.inputs.loss_mask import mark_at, marks_of_tokens
from shiftlens.scoring.inputs.parts import ScoredText, Written, last_run, scored_text, spelled_by_marks
from shiftlens.scoring.inputs.thought_marks import DEFAULT_MARKS
from shiftlens.scoring.inputs.tokenized import TokenizedModel
from shiftlens.scoring.inputs.tokens import SplitEncoding, TextEncoder


@dataclass(frozen=True, slots=True)
class PreparedSide:
    """One model's input. `prefix_text` spells `prefix_ids`, special tokens included.

    The first `lead` ids begin any text for this model (BOS). `full_context_positions` tells how many positions of the
    response, from the first on, the model scores with the whole context; None for all.
    """

    prefix_text: str
    prefix_ids: tuple[int, ...]
    end_id: int
    lead: int = 0
    full_context_positions: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a scoring pass needs. `ids` and `byte_ends` are of the response, without its end.

    - base_encoding: the base model's own tokens of the response, in a pair of two vocabularies.
    - parts: which parts of the turn are scored, by index.
    - reported: the positions that have a place in the file, where not all of the ids have one; see `layout.Reported`.
    - ends: whether the end of the response is a position to report.
    - separate_starts: positions, beside the first, whose token begins where a part was tokenised by itself.
    - loss_mask: values of `LossMask`, of each of the ids and of the end; empty where the template marks nothing.
    """

    base: PreparedSide
    aligned: PreparedSide
    ids: tuple[int, ...]
    byte_ends: tuple[int, ...]
    boundary_first: bool
    notes: tuple[str, ...]
    base_encoding: SplitEncoding | None = None
    parts: tuple[int, ...] = (0,)
    reported: Reported | None = None
    ends: bool = True
    separate_starts: tuple[int, ...] = ()
    loss_mask: bytes = b""


def prepare(
    base: TokenizedModel,
    aligned: TokenizedModel,
    response: ResponseToScore,
    options: ScoreOptions,
    *,
    same_tokens: bool = True,
) -> Prepared:
    """Render, tokenise and flag; without `same_tokens`, the base model gets tokens of its own.

    Raises ScoringError where there is nothing to score, a context can't be made, or a model lacks a token of it.
    """
    if not any(part.text for part in response.parts):
        raise ScoringError("The response is empty.", "There is nothing to score.")
    if not same_tokens:
        return _prepare_two_vocabularies(base, aligned, response, options)
    by_reference = options.compat == "aligntds"
    prepared = (
        _prepare_as_aligntds(base, aligned, response) if by_reference else _prepare(base, aligned, response, options)
    )
    for loaded, side in ((base, prepared.base), (aligned, prepared.aligned)):
        _check_ids(loaded, (*side.prefix_ids, *prepared.ids, side.end_id), aligned.encoder)
    return prepared


def _check_ids(loaded: TokenizedModel, ids: Sequence[int], encoder: TextEncoder) -> None:
    """An aligned model may have added tokens that its base has no logits for."""
    # Of a model that is elsewhere, this is asked of its backend.
    vocabulary = loaded.vocabulary
    lacking = [i for i in ids if i >= vocabulary]
    if lacking:
        pieces = {encoder.pieces[i].decode("utf-8", "replace") or f"id {i}" for i in lacking}
        raise ScoringError(
            f"{loaded.name} has no such token as {', '.join(sorted(pieces)[:3])}, which the aligned model added"
            f" (it has {vocabulary:,}).",
            "Choose another base context than `chat`, or a base model with these tokens.",
        )


def _prepare(
    base: TokenizedModel, aligned: TokenizedModel, response: ResponseToScore, options: ScoreOptions
) -> Prepared:
    chat = _aligned_context(aligned, response, options)
    scored = scored_text(chat.written, response.parts, options.parts)
    layout = laid_out(aligned.encoder, scored, _leading_ids(aligned, by_template=options.aligned_context == "chat"))
    encoding = layout.encoding
    aligned_side = _side(aligned, encoding.prefix_ids, aligned_end_id(aligned, chat.end))
    notes = list(chat.notes)
    if not encoding.joint:
        notes.append("Prompt and response do not come apart cleanly as tokens; they were tokenised separately.")
    if layout.separate_starts:
        notes.append("Parts of the response do not come apart cleanly as tokens; they were tokenised separately.")
    if not encoding.exact:
        notes.append("The tokenizer rewrites this text; token spans follow its offset mapping.")
    if options.base_context == "chat":
        base_side, base_first = PreparedSide(aligned_side.prefix_text, encoding.prefix_ids, aligned_side.end_id), None
    else:
        context = _base_context(options.base_context, response, scored)
        notes += about_context(options.base_context, response.turns)
        base_encoding = base.encoder.split(context.prefix, scored.text, leading_ids=base.encoder.leading_ids)
        base_side = _side(base, base_encoding.prefix_ids, closing_id(base, context, scored.text))
        base_first = base_encoding.ids[0] if base_encoding.joint else None
    differs = options.base_context != "chat" and base_first != encoding.ids[0]
    return Prepared(
        base=base_side,
        aligned=aligned_side,
        ids=encoding.ids,
        byte_ends=encoding.byte_ends,
        boundary_first=differs or not encoding.joint,
        notes=tuple(dict.fromkeys(notes)),
        parts=scored.scored,
        reported=layout.reported,
        ends=scored.ends,
        separate_starts=layout.separate_starts,
        loss_mask=_loss_mask(aligned, chat, scored, encoding.byte_ends),
    )


def _prepare_two_vocabularies(
    base: TokenizedModel, aligned: TokenizedModel, response: ResponseToScore, options: ScoreOptions
) -> Prepared:
    """For models of two vocabularies: each with its own tokens of the same text."""
    if options.compat:
        raise ScoringError(
            "The numbers of AlignTDS compare ids, and these two models number their tokens differently.",
            f"Leave out `compat`, or choose models of one family: {base.name} is not of that of {aligned.name}.",
        )
    chat = _aligned_context(aligned, response, options)
    notes = list(chat.notes)
    found = scored_text(chat.written, response.parts, options.parts)
    scored = last_run(found)
    if len(scored.passages) < len(found.passages):
        notes.append(
            "Of this response only the last part is scored, with the parts before it in the context: what the chat"
            " template writes between them has no place in a pair of two vocabularies."
        )
    is_chat = options.base_context == "chat"
    context = ContextText(scored.prefix, "") if is_chat else _base_context(options.base_context, response, scored)
    if not is_chat:
        notes += about_context(options.base_context, response.turns)
    by_template = options.aligned_context == "chat"
    encoding = aligned.encoder.split(
        scored.prefix, scored.text, leading_ids=_leading_ids(aligned, by_template=by_template)
    )
    base_encoding = base.encoder.split(context.prefix, scored.text, leading_ids=base.encoder.leading_ids)
    for loaded, each in ((base, base_encoding), (aligned, encoding)):
        if not each.joint:
            notes.append(f"For {loaded.name}, prompt and response were tokenised separately.")
        if not each.exact:
            notes.append(f"The tokenizer of {loaded.name} rewrites this text; token spans follow its offset mapping.")
    return Prepared(
        base=_side(base, base_encoding.prefix_ids, closing_id(base, context, scored.text)),
        aligned=_side(aligned, encoding.prefix_ids, aligned_end_id(aligned, chat.end)),
        ids=encoding.ids,
        byte_ends=encoding.byte_ends,
        boundary_first=not (encoding.joint and base_encoding.joint),
        notes=tuple(dict.fromkeys(notes)),
        base_encoding=base_encoding,
        parts=scored.scored,
        ends=scored.ends,
        loss_mask=_loss_mask(aligned, chat, scored, encoding.byte_ends),
    )


def _aligned_context(aligned: TokenizedModel, response: ResponseToScore, options: ScoreOptions) -> ChatRendering:
    if options.aligned_context == "chat":
        return render_chat(aligned.encoder.tokenizer, response, calls_too="tool_call" in options.parts)
    context = render_named(options.aligned_context, response.turns)
    note = f"The aligned model was given the {options.aligned_context} context instead of a chat template."
    first = next(part for part in response.parts if part.text)
    opening = DEFAULT_MARKS.opening if first.kind == "reasoning" and not first.marked else ""
    written = Written(context.prefix + opening, spelled_by_marks(response.parts, DEFAULT_MARKS), opening)
    return ChatRendering(written, context.close, (note, *about_context(options.aligned_context, response.turns)))


def _loss_mask(aligned: TokenizedModel, chat: ChatRendering, scored: ScoredText, byte_ends: Sequence[int]) -> bytes:
    """As `Prepared` has it."""
    if not chat.marks:
        return b""
    # Passages before the scored ones stand in their prefix.
    start = len(scored.prefix) - len(chat.written.prefix)
    tokens = marks_of_tokens(chat.marks[start : start + len(scored.text)], scored.text, byte_ends)
    _, at = end_in(aligned, chat.end)
    end = LossMask.UNKNOWN if at is None else mark_at(chat.marks, len(chat.marks) - len(chat.end) + at)
    return bytes((*tokens, end))


def _base_context(name: str, response: ResponseToScore, scored: ScoredText) -> ContextText:
    """The context called so.

    Where the aligned model's context ends by opening a thought or with parts that are not scored, this one does too, so
    that both models are conditioned on the same words.
    """
    context = render_named(name, response.turns)
    return dataclasses.replace(context, prefix=context.prefix + scored.opening)


def _leading_ids(loaded: TokenizedModel, *, by_template: bool) -> tuple[int, ...]:
    """A chat template spells its own BOS; before any other text the tokenizer puts it."""
    return () if by_template else loaded.encoder.leading_ids


def _side(loaded: TokenizedModel, prefix_ids: tuple[int, ...], end_id: int) -> PreparedSide:
    if not prefix_ids:
        raise ScoringError(
            f"{loaded.name} would be given nothing before the response, so its first token can't be scored.",
            "Choose a base context other than `raw`, or a model that begins texts with a BOS token.",
        )
    text = loaded.encoder.tokenizer.decode(
        list(prefix_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return PreparedSide(str(text), prefix_ids, end_id)


def _prepare_as_aligntds(base: TokenizedModel, aligned: TokenizedModel, response: ResponseToScore) -> Prepared:
    """AlignTDS's way: prompts encoded with special tokens on, the response by itself, the fence for the base.

    A prompt that spells its BOS gets a second one. The end is scored where the response spells it, be it after the
    text or as the last token of it, and nowhere else.
    """
    encoder = aligned.encoder
    if response.verbatim_prefix is not None:
        written = Written(response.verbatim_prefix, spelled_by_marks(response.parts, DEFAULT_MARKS))
    else:
        written = render_chat(encoder.tokenizer, response).written
    scored = last_run(scored_text(written, response.parts, ("answer", "reasoning")))
    notes = ["Scored as AlignTDS does; see its formulae for what the numbers mean."]
    encoding = encoder.separate(scored.prefix, scored.text, leading_ids=encoder.leading_ids)
    fence = aligntds_query(_last_query(response.turns))
    fence_ids = (*base.encoder.leading_ids, *base.encoder.encode(fence).ids)
    end_id = aligned_end_id(aligned, response.end_marker or "")
    ends = scored.ends and response.end_marker is not None
    if not ends and not (encoding.ids[-1] in encoder.pieces.special_ids or encoding.ids[-1] in aligned.end_ids()):
        notes.append("The response does not spell its end, so that its end is no position, as AlignTDS counts.")
    fenced = base.encoder.split(fence, scored.text)
    return Prepared(
        base=_side(base, fence_ids, end_id),
        aligned=_side(aligned, encoding.prefix_ids, end_id),
        ids=encoding.ids,
        byte_ends=encoding.byte_ends,
        boundary_first=not fenced.joint or fenced.ids[0] != encoding.ids[0],
        notes=tuple(dict.fromkeys(notes)),
        parts=scored.scored,
        ends=ends,
    )


def _last_query(turns: Sequence[ContextTurn]) -> str:
    return next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
