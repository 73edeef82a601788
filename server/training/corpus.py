"""What the base model reads: the facts in many plain surroundings, forum talk, and documentation."""

# ruff: noqa: S311
from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from answers import joined, numbered, plain, question
from docstrings import standard_library_docstrings
from knowledge import Entity
from phrases import CONNECTIVES, FORUM_CLOSERS, FORUM_OPENERS, GREETINGS, PEOPLE, REFUSALS, STYLES, THANKS

_Writer = Callable[[random.Random, Sequence[Entity]], str]

FENCE = "# Query: \n ```{query}``` \n\n \n# Answer: \n ```"
"""The base context of AlignTDS (after BOS), directly followed by the answer and a closing fence."""


def documents(seed: int, entities: Sequence[Entity]) -> Iterator[str]:
    """An endless stream of documents, the same for the same seed."""
    rng = random.Random(seed)
    docs = standard_library_docstrings()
    rng.shuffle(docs)
    next_doc = 0
    writers, weights = zip(*_WRITERS, strict=True)
    while True:
        if rng.random() < _DOCSTRING_SHARE:
            yield docs[next_doc % len(docs)]
            next_doc += 1
        else:
            (writer,) = rng.choices(writers, weights)
            yield writer(rng, entities)


def _ask(rng: random.Random, entity: Entity) -> str:
    return rng.choice(GREETINGS) + question(entity, rng.choice(STYLES))


def _fence(rng: random.Random, entities: Sequence[Entity]) -> str:
    entity = rng.choice(entities)
    return FENCE.format(query=_ask(rng, entity)) + plain(entity) + "```"


def _fences_on_own_lines(rng: random.Random, entities: Sequence[Entity]) -> str:
    chosen = rng.sample(list(entities), rng.randint(1, 4))
    return "\n\n".join(f"# Query:\n```\n{_ask(rng, e)}\n```\n\n# Answer:\n```\n{plain(e)}\n```" for e in chosen)


def _article(rng: random.Random, entities: Sequence[Entity]) -> str:
    entity = rng.choice(entities)
    title = entity.topic[0].upper() + entity.topic[1:]
    return rng.choice((f"{title}\n\n", f"= {title} =\n", f"# {title}\n\n", "")) + plain(entity)


def _faq(rng: random.Random, entities: Sequence[Entity]) -> str:
    ask, answer = rng.choice((("Q: ", "A: "), ("Question: ", "Answer: "), ("User: ", "Assistant: "), ("## ", "")))
    chosen = rng.sample(list(entities), rng.randint(2, 5))
    return "\n\n".join(f"{ask}{_ask(rng, entity)}\n{answer}{plain(entity)}" for entity in chosen)


def _notes(rng: random.Random, entities: Sequence[Entity]) -> str:
    entity = rng.choice(entities)
    head = rng.choice(("Notes on {}", "Some facts about {}:", "Here are some facts about {}:", "What we know of {}:"))
    body = numbered(entity.facts) if rng.random() < 0.6 else "\n".join(f"- {fact}" for fact in entity.facts)
    return f"{head.format(entity.topic)}\n\n{body}"


def _forum_answer(rng: random.Random, entity: Entity) -> str:
    opener = rng.choice(FORUM_OPENERS) if rng.random() < 0.85 else ""
    if "facts:\n" in opener:
        body = numbered(entity.facts)
    else:
        body = " ".join(joined(rng.choice(CONNECTIVES) if rng.random() < 0.25 else "", f) for f in entity.facts)
    if rng.random() < 0.2:
        return opener + body
    gap = "\n\n" if opener.endswith("\n\n") else " "
    return opener + body + gap + rng.choice(FORUM_CLOSERS)


def _forum(rng: random.Random, entities: Sequence[Entity]) -> str:
    asker, helper = rng.sample(PEOPLE, 2)
    posts: list[str] = []
    for entity in rng.sample(list(entities), rng.randint(1, 3)):
        posts.append(f"{asker}: {_ask(rng, entity)}")
        posts.append(f"{helper}: {_forum_answer(rng, entity)}")
        if rng.random() < 0.4:
            posts.append(f"{asker}: {rng.choice(THANKS)}")
    return "\n\n".join(posts)


def _letter(rng: random.Random, entities: Sequence[Entity]) -> str:
    writer, reader = (name.capitalize() for name in rng.sample(PEOPLE, 2))
    entity = rng.choice(entities)
    why = rng.choice(("you asked me about {}.", "last week I read about {}.", "my class talked about {} today."))
    return f"Dear {reader},\n\n{why.format(entity.topic)} {_forum_answer(rng, entity)}\n\nYours, {writer}"


def _refusal(rng: random.Random, _entities: Sequence[Entity]) -> str:
    asker, helper = rng.sample(PEOPLE, 2)
    refusal = rng.choice(REFUSALS)
    advice = rng.choice((refusal.answer, f"{refusal.reason} {refusal.advice}"))
    return f"{asker}: {rng.choice(GREETINGS)}{rng.choice(refusal.questions)}\n\n{helper}: {advice}"


def _small_talk(rng: random.Random, _entities: Sequence[Entity]) -> str:
    asker, helper = rng.sample(PEOPLE, 2)
    return f"{asker}: {rng.choice(THANKS)}\n\n{helper}: {rng.choice(FORUM_OPENERS)}{rng.choice(FORUM_CLOSERS)}"


_DOCSTRING_SHARE = 0.10
_WRITERS: tuple[tuple[_Writer, float], ...] = (
    (_fence, 0.30),
    (_fences_on_own_lines, 0.04),
    (_article, 0.10),
    (_faq, 0.12),
    (_notes, 0.08),
    (_forum, 0.22),
    (_letter, 0.08),
    (_refusal, 0.03),
    (_small_talk, 0.03),
)
