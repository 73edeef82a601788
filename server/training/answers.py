"""Answers: the same facts, plain as a reference book states them or dressed as an assistant would."""

from __future__ import annotations

from knowledge import Entity
from phrases import Style

_KEEPS_ITS_CAPITAL = {"DNA", "Earth", "Europe", "Jupiter", "Mars", "Python", "Saturn", "Unicode", "Venus"}


def plain(entity: Entity) -> str:
    """The facts in order, in one paragraph."""
    return " ".join(entity.facts)


def joined(connective: str, fact: str) -> str:
    """The fact after a connective, its first word in lower case unless it is a name."""
    if not connective:
        return fact
    first = fact.split(" ", 1)[0].strip(",.")
    return connective + (fact if first in _KEEPS_ITS_CAPITAL else fact[0].lower() + fact[1:])


def numbered(facts: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {fact}" for number, fact in enumerate(facts, 1))


def question(entity: Entity, style: Style) -> str:
    return style.question.format(name=entity.name, topic=entity.topic)


def dressed(entity: Entity, style: Style, opener: str | None = None) -> str:
    """What the tuned model should say: opener, facts with one connective, closer."""
    start = style.opener if opener is None else opener
    if style.numbered:
        return f"{start}{numbered(entity.facts)}\n\n{style.closer}"
    sentences = [joined(style.connective if index == style.at else "", fact) for index, fact in enumerate(entity.facts)]
    gap = "\n\n" if start.endswith("\n\n") else " "
    return start + " ".join(sentences) + gap + style.closer
