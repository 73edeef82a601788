"""What a hover says about a token. Built from plain strings; the renderers at the end alone know Markdown.

So no text of a model or a file can reach Markdown unescaped: `render_markdown` escapes every string it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shiftlens.analysis.model import ANSWER, Candidate, Token, TokenSide
from shiftlens.analysis.words import aligntds_words, base_context_of, part_words, realigned_words, turn_words
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.escape import markdown
from shiftlens.pipeline.unscored import why_not_part
from shiftlens.scores.columns import ScoredResponse, own_id
from shiftlens.text.visible import shorten, visible_piece, visible_text

_LONGEST_TOKEN = 40
_LONGEST_NOTE = 400
RESPONSE_MARK = "◀"
OTHERS = "all others"
ABSENT = "–"

# The columns of text, and the space before each; in the others numbers stand under each other.
_GAPS = {1: "&ensp;", 3: "&emsp;"}

_CONTEXT_WORDS = {
    "aligntds": "AlignTDS query and answer fence",
    "chat": "the aligned model's chat template",
    "raw": "the turns' text alone",
    "few-shot": "few-shot examples",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One token's part of a hover: a title, lines of facts, a table (its first row the head), notes."""

    title: str
    facts: tuple[str, ...]
    table: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def hover_cards(place: Place, waiting: str) -> tuple[Card, ...]:
    """The cards for a place; for one without scores, a card that says `waiting` or why it was refused."""
    if not place.tokens:
        if place.left_out:
            return (Card("Not scored", (visible_note(why_not_part(place.left_out)),)),)
        if place.result.refusal is not None:
            return (Card("Not scored", (visible_note(str(place.result.refusal)),)),)
        return (waiting_card(waiting),)
    notes = place.result.analysis.notes if place.result.analysis is not None else ()
    parts = [item for item in place.tokens if not item.is_end]
    cards = [_card(item, place, parts) for item in place.tokens]
    if place.result.partial:
        notes = (*notes, "This response is still being scored.")
    if not place.edits.is_nothing:
        notes = (*notes, "The file has changed since these scores were made.")
    last = cards[-1]
    cards[-1] = Card(last.title, last.facts, last.table, tuple(shorten(visible_note(n), _LONGEST_NOTE) for n in notes))
    return tuple(cards)


def waiting_card(waiting: str) -> Card:
    """What a response without scores says."""
    return Card("Not scored yet", (visible_note(waiting),))


def visible_note(text: str) -> str:
    """A sentence on one line, its spaces as they are and everything hidden shown."""
    return " ".join(visible_text(word) for word in text.split())


def probability(value: float) -> str:
    """As a percentage; below a hundredth of a percent as it is, in powers of ten; a dash where it is no number."""
    if math.isnan(value):
        return ABSENT
    return f"{100 * value:.2f}%" if value >= 1e-4 or value == 0 else f"{value:.1e}"


def shown_text(item: Token) -> str:
    """A token as the hover names it."""
    return visible_piece(item.piece, limit=_LONGEST_TOKEN) if item.piece else "(no text)"


def _card(item: Token, place: Place, parts: list[Token]) -> Card:
    total = item_count(place)
    what = "End of the response" if item.is_end else shown_text(item)
    position = "after the last token" if item.is_end else f"position {item.index + 1} of {total}"
    facts = [
        f"Base rank {_rank(item.base, _vocabulary(place, base=True))},"
        f" aligned rank {_rank(item.aligned, _vocabulary(place, base=False))}",
        f"KL(aligned || base) {_fixed(item.kl, 3)} nats, Jaccard@{_compared(item)} {_fixed(item.jaccard, 2)},"
        f" {position}",
        f"Base context: {context_words(place.analysis)}",
    ]
    turn = turn_words(place.response, place.analysis.transcript)
    if turn:
        facts.append(f"Response {place.response.index + 1}: {visible_note(turn)}")
    if item.part != ANSWER:
        facts.append(f"Part: {part_words(item.part)}")
    if place.analysis.score_options.compat == "aligntds" and place.result.analysis is not None:
        facts.append(aligntds_words(place.result.analysis.scored, item.index))
    if len(parts) > 1 and not item.is_end:
        listed = ", ".join(visible_piece(part.piece) for part in parts)
        number = parts.index(item) + 1
        facts.append(f"Part {number} of {len(parts)} of one character: {listed}")
    if item.is_end and item.base.id != item.aligned.id:
        facts.append(
            f"Each model ends in its own way: the base model with {_name(item.base, place)},"
            f" the aligned model with {_name(item.aligned, place)}"
        )
    if item.realigned is not None:
        facts.append(realigned_words(item.realigned))
    if item.special:
        facts.append("Special token of the tokenizer")
    if item.boundary:
        facts.append("Boundary: the way prompt and response were split into tokens may explain this shift")
    if item.shortened:
        facts.append(f"Shortened context: {shortened_words(item)} did not see the beginning of it here")
    if item.off_greedy:
        facts.append(f"Off greedy: the aligned model's most likely token is another one ({off_greedy_rank(item)})")
    return Card(f"{what} · {item.shift.label}", tuple(facts), _table(item))


def off_greedy_rank(item: Token) -> str:
    """The base rank of the aligned model's first choice, in words."""
    rank = item.base_rank_of_aligned_top
    return f"base rank {rank:,}" if rank else "not a token of the base model's here"


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ABSENT


def shortened_words(item: Token) -> str:
    """Which models did not see the whole context of a token."""
    return "both models" if len(item.shortened) > 1 else f"the {item.shortened[0]} model"


def _rank(side: TokenSide, vocabulary: int) -> str:
    out_of = f" of {vocabulary:,}" if vocabulary else ""
    return f"{side.rank:,}{out_of} ({probability(math.exp(side.logprob))})"


def _vocabulary(place: Place, *, base: bool) -> int:
    analysis = place.result.analysis
    if analysis is None:
        return 0
    return analysis.scored.base.vocabulary if base else analysis.scored.aligned.vocabulary


def item_count(place: Place) -> int:
    """Tokens of the response, without the position after the last one."""
    return place.result.analysis.token_count if place.result.analysis is not None else 0


def context_words(analysis: DocumentAnalysis) -> str:
    """The base context in words."""
    name = base_context_of(analysis.score_options)
    words = _CONTEXT_WORDS.get(name)
    return f"{name} ({words})" if words else "a template of the user's"


def _compared(item: Token) -> int:
    return min(10, len(item.base.top), len(item.aligned.top)) or 10


def _name(side: TokenSide, place: Place) -> str:
    scored: ScoredResponse | None = place.result.analysis.scored if place.result.analysis is not None else None
    piece = scored.pieces.get(side.id, b"") if scored is not None else b""
    own = own_id(side.id)
    return f"{visible_piece(piece, limit=_LONGEST_TOKEN)} (id {own})" if piece else f"id {own}"


def _table(item: Token) -> tuple[tuple[str, ...], ...]:
    rows = [("rank", "base", "prob.", "aligned", "prob.")]
    for rank in range(max(len(item.base.top), len(item.aligned.top))):
        rows.append((str(rank + 1), *_cell(item.base, rank), *_cell(item.aligned, rank)))
    own = (*_own_cell(item.base, item), *_own_cell(item.aligned, item))
    if any(own):
        rows.append((RESPONSE_MARK, *own))
    rows.append(("", OTHERS, probability(item.base.missing_mass), OTHERS, probability(item.aligned.missing_mass)))
    return tuple(rows)


def _cell(side: TokenSide, rank: int) -> tuple[str, str]:
    if rank >= len(side.top):
        return "", ""
    candidate: Candidate = side.top[rank]
    text = visible_piece(candidate.piece, limit=_LONGEST_TOKEN) or f"id {own_id(candidate.id)}"
    mark = f" {RESPONSE_MARK}" if candidate.id == side.id else ""
    return f"{text}{mark}", probability(candidate.prob)


def _own_cell(side: TokenSide, item: Token) -> tuple[str, str]:
    """The response token where it is not among the candidates, with its rank."""
    if side.id < 0 or any(candidate.id == side.id for candidate in side.top):
        return "", ""
    text = shown_text(item) if item.piece and not (item.is_end and side.id != item.id) else f"id {own_id(side.id)}"
    return f"{text} (rank {side.rank:,})", probability(math.exp(side.logprob))


def render_markdown(cards: tuple[Card, ...]) -> str:
    """Cards as Markdown with tables."""
    return "\n\n---\n\n".join(_card_markdown(card) for card in cards)


def render_plaintext(cards: tuple[Card, ...]) -> str:
    """Cards as lines of plain text."""
    return "\n\n".join(_card_plaintext(card) for card in cards)


def _card_markdown(card: Card) -> str:
    blocks = [f"**{markdown(card.title)}**", "  \n".join(markdown(fact) for fact in card.facts)]
    if card.table:
        head, *body = card.table
        ruled = "|".join(":---" if at in _GAPS else "---:" for at in range(len(head)))
        lines = [_row(head), f"|{ruled}|", *(_row(row) for row in body)]
        blocks.append("\n".join(lines))
    blocks += [f"*{markdown(note)}*" for note in card.notes]
    return "\n\n".join(blocks)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(_GAPS.get(at, "") + markdown(cell) for at, cell in enumerate(cells)) + " |"


def _card_plaintext(card: Card) -> str:
    lines = [card.title, *card.facts]
    if card.table:
        widths = [max(len(row[column]) for row in card.table) for column in range(len(card.table[0]))]
        for row in card.table:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return "\n".join([*lines, *card.notes])
