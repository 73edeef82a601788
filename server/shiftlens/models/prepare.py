"""What each model of the pair is to be fed for one response: prefix ids, response ids, end ids, flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.errors import ScoringError
from shiftlens.models.chat import ChatRendering, render_chat
from shiftlens.models.contexts import ContextText, aligntds_query, render_named
from shiftlens.models.conversation import ContextTurn, ResponseToScore
from shiftlens.models.loading import LoadedModel
from shiftlens.models.pair import ScoreOptions
from shiftlens.models.tokens import SplitEncoding, TextEncoder


@dataclass(frozen=True, slots=True)
class PreparedSide:
    """One model's input. `prefix_text` spells `prefix_ids`, special tokens included.

    The first `lead` ids begin any text for this model (BOS). `whole_rows` tells how many first rows of the response the
    model scores with the whole context; None for all.
    """

    prefix_text: str
    prefix_ids: tuple[int, ...]
    end_id: int
    lead: int = 0
    whole_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a scoring pass needs. `ids` and `byte_ends` are of the response, without its end.

    `own` is how the base model cuts the response into tokens of its own, where the two do not have the same.
    """

    base: PreparedSide
    aligned: PreparedSide
    ids: tuple[int, ...]
    byte_ends: tuple[int, ...]
    boundary_first: bool
    notes: tuple[str, ...]
    own: SplitEncoding | None = None


def prepare(
    base: LoadedModel,
    aligned: LoadedModel,
    response: ResponseToScore,
    options: ScoreOptions,
    *,
    same_tokens: bool = True,
) -> Prepared:
    """Render, tokenise and flag; without `same_tokens`, the base model gets tokens of its own.

    Raises ScoringError where a context can't be made, or a model lacks a token of it.
    """
    if not response.text:
        raise ScoringError("The response is empty.", "There is nothing to score.")
    if not same_tokens:
        return _prepare_apart(base, aligned, response, options)
    by_reference = options.compat == "aligntds"
    prepared = (
        _prepare_as_aligntds(base, aligned, response) if by_reference else _prepare(base, aligned, response, options)
    )
    for loaded, side in ((base, prepared.base), (aligned, prepared.aligned)):
        _check_ids(loaded, (*side.prefix_ids, *prepared.ids, side.end_id), aligned.encoder)
    return prepared


def _check_ids(loaded: LoadedModel, ids: Sequence[int], encoder: TextEncoder) -> None:
    """An aligned model may have added tokens that its base has no rows for."""
    lacking = [i for i in ids if i >= loaded.vocabulary]
    if lacking:
        pieces = {encoder.pieces[i].decode("utf-8", "replace") or f"id {i}" for i in lacking}
        raise ScoringError(
            f"{loaded.name} has no such token as {', '.join(sorted(pieces)[:3])}, which the aligned model added"
            f" (it has {loaded.vocabulary:,}).",
            "Choose another base context than `chat`, or a base model with these tokens.",
        )


def _prepare(base: LoadedModel, aligned: LoadedModel, response: ResponseToScore, options: ScoreOptions) -> Prepared:
    chat = _aligned_context(aligned, response, options)
    joint = _encode_in(aligned, chat.prefix, response.text, by_template=options.aligned_context == "chat")
    aligned_side = _side(aligned, joint.prefix_ids, _aligned_end_id(aligned, chat.end))
    notes = list(chat.notes)
    if not joint.joint:
        notes.append("Prompt and response do not come apart cleanly as tokens; they were tokenised separately.")
    if not joint.exact:
        notes.append("The tokenizer rewrites this text; token spans follow its offset mapping.")
    if options.base_context == "chat":
        base_side, base_first = PreparedSide(aligned_side.prefix_text, joint.prefix_ids, aligned_side.end_id), None
    else:
        context = render_named(options.base_context, response.turns)
        own = _encode_in(base, context.prefix, response.text, by_template=False)
        base_side = _side(base, own.prefix_ids, _closing_id(base, context, response.text))
        base_first = own.ids[0] if own.joint else None
    differs = options.base_context != "chat" and base_first != joint.ids[0]
    return Prepared(
        base=base_side,
        aligned=aligned_side,
        ids=joint.ids,
        byte_ends=joint.byte_ends,
        boundary_first=differs or not joint.joint,
        notes=tuple(notes),
    )


def _prepare_apart(
    base: LoadedModel, aligned: LoadedModel, response: ResponseToScore, options: ScoreOptions
) -> Prepared:
    """For models of two vocabularies: each with its own tokens of the same text."""
    if options.compat:
        raise ScoringError(
            "The numbers of AlignTDS compare ids, and these two models number their tokens differently.",
            f"Leave out `compat`, or choose models of one family: {base.name} is not of that of {aligned.name}.",
        )
    chat = _aligned_context(aligned, response, options)
    joint = _encode_in(aligned, chat.prefix, response.text, by_template=options.aligned_context == "chat")
    is_chat = options.base_context == "chat"
    context = ContextText(chat.prefix, "") if is_chat else render_named(options.base_context, response.turns)
    own = _encode_in(base, context.prefix, response.text, by_template=False)
    notes = list(chat.notes)
    for loaded, encoding in ((base, own), (aligned, joint)):
        if not encoding.joint:
            notes.append(f"For {loaded.name}, prompt and response were tokenised separately.")
        if not encoding.exact:
            notes.append(f"The tokenizer of {loaded.name} rewrites this text; token spans follow its offset mapping.")
    return Prepared(
        base=_side(base, own.prefix_ids, _closing_id(base, context, response.text)),
        aligned=_side(aligned, joint.prefix_ids, _aligned_end_id(aligned, chat.end)),
        ids=joint.ids,
        byte_ends=joint.byte_ends,
        boundary_first=not (joint.joint and own.joint),
        notes=tuple(notes),
        own=own,
    )


def _aligned_context(aligned: LoadedModel, response: ResponseToScore, options: ScoreOptions) -> ChatRendering:
    if options.aligned_context == "chat":
        return render_chat(aligned.encoder.tokenizer, response.turns, response.text, response.verbatim_prefix)
    context = render_named(options.aligned_context, response.turns)
    note = f"The aligned model was given the {options.aligned_context} context instead of a chat template."
    return ChatRendering(context.prefix, context.close, (note,))


def _encode_in(loaded: LoadedModel, prefix: str, response: str, *, by_template: bool) -> SplitEncoding:
    """A chat template spells its own BOS; before any other text the tokenizer puts it."""
    leading = () if by_template else loaded.encoder.leading_ids
    return loaded.encoder.split(prefix, response, leading_ids=leading)


def _side(loaded: LoadedModel, prefix_ids: tuple[int, ...], end_id: int) -> PreparedSide:
    if not prefix_ids:
        raise ScoringError(
            f"{loaded.name} would be given nothing before the response, so its first token can't be scored.",
            "Choose a base context other than `raw`, or a model that begins texts with a BOS token.",
        )
    text = loaded.encoder.tokenizer.decode(
        list(prefix_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return PreparedSide(str(text), prefix_ids, end_id)


def _aligned_end_id(aligned: LoadedModel, end_text: str) -> int:
    """The first special token of what the template puts after a response, or what the model calls its end."""
    special = aligned.encoder.pieces.special_ids
    ends = aligned.end_ids()
    written = aligned.encoder.encode(end_text).ids if end_text else ()
    for token_id in written:
        if token_id in special or token_id in ends:
            return token_id
    if ends:
        return ends[0]
    if written:
        return written[0]
    raise ScoringError(
        f"{aligned.name} names no token that ends a response.", "Set `eos_token` in its `tokenizer_config.json`."
    )


def _closing_id(base: LoadedModel, context: ContextText, response: str) -> int:
    """The id with which the base model would close its context: its end id, or the first token of the closing text."""
    if context.close:
        closed = base.encoder.split(context.prefix + response, context.close)
        return closed.ids[0]
    ends = base.end_ids()
    if not ends:
        raise ScoringError(
            f"{base.name} names no token that ends a text.", "Set `eos_token` in its `tokenizer_config.json`."
        )
    return ends[0]


def _prepare_as_aligntds(base: LoadedModel, aligned: LoadedModel, response: ResponseToScore) -> Prepared:
    """AlignTDS's way: prompts encoded with special tokens on, the response by itself, the fence for the base.

    A prompt that spells its BOS gets a second one; a response that spells its end has that as its last position.
    """
    prompt = response.verbatim_prefix
    notes: tuple[str, ...] = ("Scored as AlignTDS does; see its formulae for what the numbers mean.",)
    if prompt is None:
        rendering = render_chat(aligned.encoder.tokenizer, response.turns, response.text, None)
        prompt = rendering.prefix
    own = aligned.encoder.separate(prompt, response.text, leading_ids=aligned.encoder.leading_ids)
    fence = aligntds_query(_last_query(response.turns))
    fence_ids = (*base.encoder.leading_ids, *base.encoder.encode(fence).ids)
    end_id = _aligned_end_id(aligned, response.end_marker or "")
    if response.end_marker is None:
        notes = (*notes, "The response does not spell its end; AlignTDS would not score the last position.")
    joint = base.encoder.split(fence, response.text)
    return Prepared(
        base=_side(base, fence_ids, end_id),
        aligned=_side(aligned, own.prefix_ids, end_id),
        ids=own.ids,
        byte_ends=own.byte_ends,
        boundary_first=not joint.joint or joint.ids[0] != own.ids[0],
        notes=notes,
    )


def _last_query(turns: Sequence[ContextTurn]) -> str:
    return next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
