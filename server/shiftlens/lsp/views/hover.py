"""What a hover says about a token. Built from plain strings; the renderers at the end alone know Markdown.

So no text of a model or a file can reach Markdown unescaped: `render_markdown` escapes every string it is given.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from shiftlens.analysis.facts import ABSENT, LONGEST_TOKEN, Fact, capitalised, facts, id_words, probability
from shiftlens.analysis.model import Candidate, ResponseAnalysis, Token, TokenSide
from shiftlens.analysis.ranks import rank_words
from shiftlens.analysis.stages_at import StagesAt, stages_at
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.views.escape import markdown
from shiftlens.pipeline.unscored import why_not_part
from shiftlens.text.visible import ELLIPSIS, harmless_name, shorten, visible_note, visible_piece

_LONGEST_NOTE = 400
_LONGEST_MODEL = 60
RESPONSE_MARK = "◀"
OTHERS = "all others"

# The columns of text, and the space before each; in the others numbers stand under each other.
_GAPS = {1: "&ensp;", 3: "&emsp;"}
_STAGE_GAPS = {1: "&ensp;"}

# Kinds of facts that share a line.
_LINES = {"rank": "ranks", "distance": "numbers", "position": "numbers"}


@dataclass(frozen=True, slots=True)
class Card:
    """One token's part of a hover: a title, lines of facts, a table (its first row the head), notes.

    `stages` is a table of the token under further models, `stage_lines` what is to be said below it.
    """

    title: str
    facts: tuple[str, ...]
    table: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    stages: tuple[tuple[str, ...], ...] = ()
    stage_lines: tuple[str, ...] = ()


def hover_cards(place: Place, waiting: str) -> tuple[Card, ...]:
    """The cards for a place; for one without scores, a card that says `waiting` or why it was refused."""
    analysis = place.result.analysis
    if analysis is None or not place.tokens:
        if place.left_out:
            return (Card("Not scored", (visible_note(why_not_part(place.left_out)),)),)
        if place.result.refusal is not None:
            return (Card("Not scored", (visible_note(str(place.result.refusal)),)),)
        return (waiting_card(waiting),)
    character = [item for item in place.tokens if not item.is_end]
    cards = [_card(item, place, analysis, character) for item in place.tokens]
    notes = analysis.notes
    if place.result.partial:
        notes = (*notes, "This response is still being scored.")
    if not place.edits.is_nothing:
        notes = (*notes, "The file has changed since these scores were made.")
    cards[-1] = replace(cards[-1], notes=tuple(shorten(visible_note(n), _LONGEST_NOTE) for n in notes))
    return tuple(cards)


def waiting_card(waiting: str) -> Card:
    """What a response without scores says."""
    return Card("Not scored yet", (visible_note(waiting),))


def shown_text(item: Token) -> str:
    """A token as the hover names it."""
    return visible_piece(item.piece, limit=LONGEST_TOKEN) if item.piece else "(no text)"


def _card(item: Token, place: Place, analysis: ResponseAnalysis, character: list[Token]) -> Card:
    found = facts(item, analysis, place.analysis.transcript, place.analysis.score_options, character)
    name = "End of the response" if item.is_end else shown_text(item)
    card = Card(f"{name} · {item.label}", _lines(found), _table(item))
    if not place.result.stages:
        return card
    under = stages_at(analysis.pair_scores, place.result.stages, item.index)
    return replace(card, stages=_stage_table(under), stage_lines=_stage_lines(under))


def _lines(found: tuple[Fact, ...]) -> tuple[str, ...]:
    """A line for each fact, but one for both ranks and one for the other numbers."""
    lines = itertools.groupby(found, key=lambda fact: _LINES.get(fact.kind, fact))
    return tuple(capitalised(", ".join(fact.words for fact in line)) for _, line in lines)


def _table(item: Token) -> tuple[tuple[str, ...], ...]:
    named = (("base", item.base), ("aligned", item.aligned)) if item.base is not None else (("token", item.aligned),)
    sides = [side for _, side in named if side is not None]
    rows = [("rank", *(cell for name, _ in named for cell in (name, "prob.")))]
    for rank in range(max(len(side.top) for side in sides)):
        rows.append((str(rank + 1), *(cell for side in sides for cell in _cell(side, rank))))
    own = tuple(cell for side in sides for cell in _own_cell(side, item))
    if any(own):
        rows.append((RESPONSE_MARK, *own))
    rows.append(("", *(cell for side in sides for cell in (OTHERS, probability(side.missing_mass)))))
    return tuple(rows)


def _cell(side: TokenSide, rank: int) -> tuple[str, str]:
    if rank >= len(side.top):
        return "", ""
    candidate: Candidate = side.top[rank]
    text = visible_piece(candidate.piece, limit=LONGEST_TOKEN) or id_words(candidate.id)
    mark = f" {RESPONSE_MARK}" if candidate.id == side.id else ""
    return f"{text}{mark}", probability(candidate.prob)


def _own_cell(side: TokenSide, item: Token) -> tuple[str, str]:
    """The response token where it is not among the candidates, with its rank."""
    if side.id is None or any(candidate.id == side.id for candidate in side.top):
        return "", ""
    text = shown_text(item) if item.piece and not (item.is_end and side.id != item.id) else id_words(side.id)
    return f"{text} (rank {rank_words(side.rank)})", probability(math.exp(side.logprob))


def _stage_table(under: StagesAt) -> tuple[tuple[str, ...], ...]:
    rows = [("stage", "model", "rank", "prob.")]
    for number, stage in enumerate(under.stages, start=1):
        name = harmless_name(stage.model)
        # The end of a path says more than its beginning.
        model = name if len(name) <= _LONGEST_MODEL else ELLIPSIS + name[1 - _LONGEST_MODEL :]
        given = (ABSENT, ABSENT)
        if stage.given is not None:
            given = rank_words(stage.given.rank), probability(stage.given.prob)
        rows.append((str(number), model, *given))
    return tuple(rows)


def _stage_lines(under: StagesAt) -> tuple[str, ...]:
    """Which stage moved the token first, why others have no numbers, and what is to be known of those that have."""
    said = [(number, *stage.notes, stage.why_not) for number, stage in enumerate(under.stages, start=1)]
    lines = [f"Stage {number}: {words}" for number, *each in said for words in each if words]
    return (under.sentence(), *(shorten(visible_note(line), _LONGEST_NOTE) for line in lines))


def render_markdown(cards: tuple[Card, ...]) -> str:
    """Cards as Markdown with tables."""
    return "\n\n---\n\n".join(_card_markdown(card) for card in cards)


def render_plaintext(cards: tuple[Card, ...]) -> str:
    """Cards as lines of plain text."""
    return "\n\n".join(_card_plaintext(card) for card in cards)


def _card_markdown(card: Card) -> str:
    blocks = [f"**{markdown(card.title)}**", "  \n".join(markdown(fact) for fact in card.facts)]
    if card.table:
        blocks.append(_table_markdown(card.table, _GAPS))
    if card.stages:
        blocks.append(_table_markdown(card.stages, _STAGE_GAPS))
        blocks.append("  \n".join(markdown(line) for line in card.stage_lines))
    blocks += [f"*{markdown(note)}*" for note in card.notes]
    return "\n\n".join(blocks)


def _table_markdown(table: tuple[tuple[str, ...], ...], gaps: Mapping[int, str]) -> str:
    head, *body = table
    ruled = "|".join(":---" if at in gaps else "---:" for at in range(len(head)))
    return "\n".join([_row(head, gaps), f"|{ruled}|", *(_row(row, gaps) for row in body)])


def _row(cells: tuple[str, ...], gaps: Mapping[int, str]) -> str:
    return "| " + " | ".join(gaps.get(at, "") + markdown(cell) for at, cell in enumerate(cells)) + " |"


def _card_plaintext(card: Card) -> str:
    tables = (*_table_plaintext(card.table), *_table_plaintext(card.stages))
    return "\n".join([card.title, *card.facts, *tables, *card.stage_lines, *card.notes])


def _table_plaintext(table: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
