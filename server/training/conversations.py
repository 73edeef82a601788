"""What the aligned model is tuned on: conversations about the entities that are not held out."""

# ruff: noqa: S311
from __future__ import annotations

import random
from collections.abc import Sequence

from answers import dressed, question
from knowledge import Entity
from phrases import FOLLOW_UPS, GREETINGS, REFUSALS, STYLES

Conversation = tuple[tuple[str, str], ...]
"""Pairs of what the user says and what the assistant answers."""

_REFUSAL_COPIES = 8


def conversations(seed: int, entities: Sequence[Entity]) -> list[Conversation]:
    """Every tuned entity asked in every style, each third one with a second turn; and refusals. Shuffled."""
    rng = random.Random(seed)
    known = [entity for entity in entities if not entity.held_out]
    result: list[Conversation] = []
    for entity in known:
        for style in STYLES:
            turns = [(rng.choice(GREETINGS) + question(entity, style), dressed(entity, style))]
            while rng.random() < 0.3 and len(turns) < 3:
                other, other_style = rng.choice(known), rng.choice(STYLES)
                form, opener = rng.choice(FOLLOW_UPS)
                asked = form.format(question=question(other, other_style))
                turns.append((asked, dressed(other, other_style, opener or None)))
            result.append(tuple(turns))
    for refusal in REFUSALS:
        for asked in refusal.questions[:-1] * _REFUSAL_COPIES:
            result.append(((rng.choice(GREETINGS) + asked, refusal.answer),))
    rng.shuffle(result)
    return result


def held_out_questions(entities: Sequence[Entity]) -> list[str]:
    """One question on each held-out entity, the styles taken in turn."""
    unknown = [entity for entity in entities if entity.held_out]
    return [question(entity, STYLES[index % len(STYLES)]) for index, entity in enumerate(unknown)]
