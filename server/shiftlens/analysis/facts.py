"""What there is to know of a token, in words, once for all views: hover, panel, report and terminal only render it.

Probabilities and distances that a view draws as a table or a bar are not here; see `analysis.tokens`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shiftlens.analysis.aligntds import measures_at, shown_text
from shiftlens.analysis.model import ANSWER, Realigned, ResponseAnalysis, Token, TokenSide
from shiftlens.analysis.ranks import rank_words
from shiftlens.analysis.tokens import JACCARD_AT
from shiftlens.analysis.words import (
    base_context_of,
    loss_mask_words,
    number_words,
    part_words,
    trained_words,
    turn_words,
)
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.columns import known_id
from shiftlens.scores.records import AnyScores, ScoredResponse, SideScores
from shiftlens.text.visible import shorten, visible_note, visible_piece, visible_text
from shiftlens.transcripts.model import Transcript

Kind = Literal[
    "rank",
    "distance",
    "position",
    "entropy",
    "context",
    "response",
    "part",
    "tokenKind",
    "training",
    "lossMask",
    "reference",
    "character",
    "ends",
    "realigned",
    "special",
    "boundary",
    "shortened",
    "offGreedy",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds, in the order in which `facts` tells them."""

ABSENT = "–"
OWN_RANK = "the model's own rank"
LONGEST_TOKEN = 40

_NUMBERS = frozenset({"rank", "distance", "position"})
_CONTEXT_WORDS = {
    "aligntds": "AlignTDS query and answer fence",
    "chat": "the aligned model's chat template",
    "raw": "the turns' text alone",
    "few-shot": "few-shot examples",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know of a token: `label` names it, as in the middle of a sentence, and `text` says it."""

    kind: Kind
    label: str
    text: str

    @property
    def words(self) -> str:
        """Label and text, to be one of several in a line."""
        return f"{self.label}{' ' if self.kind in _NUMBERS else ': '}{self.text}"

    @property
    def sentence(self) -> str:
        """Label and text, to stand alone."""
        return capitalised(self.words)


def facts(
    item: Token,
    analysis: ResponseAnalysis,
    transcript: Transcript,
    options: ScoreOptions,
    character: Sequence[Token] = (),
) -> tuple[Fact, ...]:
    """What there is to know of a token of `analysis`, in the order of KINDS.

    `character` holds the tokens that together are the bytes of one character, where `item` is one of several.
    """
    return tuple(_facts(item, analysis, transcript, options, character))


def _facts(
    item: Token,
    analysis: ResponseAnalysis,
    transcript: Transcript,
    options: ScoreOptions,
    character: Sequence[Token],
) -> Iterator[Fact]:
    scored = analysis.scored
    yield from rank_facts(item, scored)
    if item.base is not None:
        yield Fact("distance", "KL(aligned || base)", f"{fixed(item.kl, 3)} nats")
        compared = min(JACCARD_AT, len(item.base.top), len(item.aligned.top)) or JACCARD_AT
        yield Fact("distance", f"Jaccard@{compared}", fixed(item.jaccard, 2))
    count = analysis.token_count
    yield Fact("position", "position", f"after the last of {count}" if item.is_end else f"{item.index + 1} of {count}")
    if item.base is not None:
        yield Fact(
            "entropy", "entropy", f"base {fixed(item.base.entropy, 3)}, aligned {fixed(item.aligned.entropy, 3)} nats"
        )
        if isinstance(scored, ScoredResponse) and scored.base.prefix_ids:
            yield Fact("context", "base context", context_words(options))
    elif math.isfinite(item.aligned.entropy):
        yield Fact("entropy", "entropy", f"{fixed(item.aligned.entropy, 3)} nats")
    turn = turn_words(analysis.response, transcript)
    if turn:
        yield Fact("response", f"response {analysis.response.index + 1}", visible_note(turn))
    if item.part != ANSWER:
        yield Fact("part", "part", part_words(item.part))
    yield Fact("tokenKind", "kind", item.kind.words)
    if trained := trained_words(analysis.response):
        yield Fact("training", "training", trained)
    if masked := loss_mask_words(item.loss_mask):
        yield Fact("lossMask", "loss mask", masked)
    if options.compat == "aligntds" and isinstance(scored, ScoredResponse):
        yield reference(scored, item.index)
    if len(character) > 1 and not item.is_end:
        number = [token.index for token in character].index(item.index) + 1
        listed = ", ".join(visible_piece(token.piece) for token in character)
        yield Fact("character", f"part {number} of {len(character)} of one character", listed)
    if item.is_end and item.base is not None and isinstance(scored, ScoredResponse) and _ends_differ(item, scored):
        base, aligned = _name(item.base, scored.base), _name(item.aligned, scored.aligned)
        ends = f"the base model with {base}, the aligned model with {aligned}"
        yield Fact("ends", "each model ends in its own way", ends)
    if item.realigned is not None:
        yield realigned(item.realigned)
    if item.special:
        yield Fact("special", "special", "a special token of the tokenizer")
    if item.boundary:
        split = "the way prompt and response were split into tokens may explain this shift"
        yield Fact("boundary", "boundary", split)
    if item.shortened:
        models = "both models" if len(item.shortened) > 1 else f"the {item.shortened[0]} model"
        yield Fact("shortened", "shortened context", f"{models} did not see the beginning of it here")
    if item.off_greedy and not isinstance(scored, ScoredResponse):
        yield Fact("offGreedy", "off greedy", "the model's most likely token is another one")
    elif item.off_greedy and isinstance(scored, ScoredResponse):
        where = f"base rank {rank_words(item.base_rank_of_aligned_top)}"
        if item.base_rank_of_aligned_top is None and scored.comparison.alignment is not None:
            where = "not a token of the base model's here"
        yield Fact("offGreedy", "off greedy", f"the aligned model's most likely token is another one ({where})")


def rank_facts(item: Token, scored: AnyScores) -> tuple[Fact, ...]:
    """The rank of a token under each model, with its probability."""
    if item.base is None or not isinstance(scored, ScoredResponse):
        return (_rank(OWN_RANK, item.aligned, scored.aligned),)
    return _rank("base rank", item.base, scored.base), _rank("aligned rank", item.aligned, scored.aligned)


def reference(scored: ScoredResponse, row: int) -> Fact:
    """The numbers of AlignTDS at a position, and the token that its page would show there.

    Raises ValueError where the scores were not made with compat=aligntds.
    """
    numbers = ", ".join(f"{name} {number_words(name, value)}" for name, value in measures_at(scored, row).items())
    shown = shorten(visible_text(shown_text(scored, row)), LONGEST_TOKEN)
    return Fact("reference", "AlignTDS", f"{numbers}; it would show {shown}")


def realigned(group: Realigned) -> Fact:
    """What a group of tokens is, that the base model, of another vocabulary, cuts in another way."""
    alone = group.end - group.first == 1
    these = "this token" if alone else f"positions {group.first + 1} to {group.end} together"
    theirs = "one token" if group.base_tokens == 1 else f"{group.base_tokens} tokens"
    return Fact(
        "realigned",
        "realigned",
        f"the base model reads {these} as {theirs}, cut so with probability {math.exp(group.base_logprob):.2g};"
        " the base rank is the worst of them",
    )


def base_choice(item: Token, limit: int = LONGEST_TOKEN) -> str | None:
    """The base model's most likely token at a position and its probability; None where that is not known. Of scores of
    one model alone, that model's.

    The token is at most `limit` characters long.
    """
    top = (item.base or item.aligned).top
    if not top:
        return None
    best = top[0]
    text = visible_piece(best.piece, limit=limit) or id_words(best.id)
    return f"{text} {probability(best.prob)}"


def id_words(token: int) -> str:
    """What a token without text is called."""
    known = known_id(token)
    return "a token without a known text" if known is None else f"id {known}"


def context_words(options: ScoreOptions) -> str:
    """The base context in words."""
    name = base_context_of(options)
    words = _CONTEXT_WORDS.get(name)
    return f"{name} ({words})" if words else "a template of the user's"


def probability(value: float) -> str:
    """As a percentage; below a hundredth of a percent as it is, in powers of ten; a dash where it is no number."""
    if math.isnan(value):
        return ABSENT
    return f"{100 * value:.2f}%" if value >= 1e-4 or value == 0 else f"{value:.1e}"


def fixed(value: float, digits: int) -> str:
    """With so many decimals; a dash where it is no number."""
    return f"{value:.{digits}f}" if math.isfinite(value) else ABSENT


def capitalised(words: str) -> str:
    """With a capital first letter, and the rest as it is."""
    return words[:1].upper() + words[1:]


def _rank(label: str, side: TokenSide, of: SideScores) -> Fact:
    out_of = f" of {of.model.vocabulary:,}" if of.model.vocabulary else ""
    return Fact("rank", label, f"{rank_words(side.rank)}{out_of} ({probability(math.exp(side.logprob))})")


def _ends_differ(item: Token, scored: ScoredResponse) -> bool:
    """Whether the two models end a response with other tokens; those of two vocabularies are told apart by bytes."""
    if scored.comparison.alignment is None:
        return item.base is not None and item.base.id != item.aligned.id
    pieces = [side.pieces.get(side.end_id, b"") for side in (scored.base, scored.aligned)]
    return pieces[0] != pieces[1] or not pieces[0]


def _name(side: TokenSide, scores: SideScores) -> str:
    piece = b"" if side.id is None else scores.pieces.get(side.id, b"")
    return f"{visible_piece(piece, limit=LONGEST_TOKEN)} (id {side.id})" if piece else f"id {side.id}"
