"""The entities of the toy world: what the base model knows, and which of it tuning never sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FACTS = Path(__file__).resolve().parent / "facts"
_HELD_OUT_RESIDUES = (1, 3)


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that can be asked about.

    `name` fits "What is {name}?", `topic` fits "Tell me about {topic}."; `facts` are whole sentences in fixed order.
    """

    name: str
    topic: str
    category: str
    facts: tuple[str, ...]
    held_out: bool


def load_entities() -> tuple[Entity, ...]:
    """All entities in the order of the files in `facts/`. Two of every five are held out of the tuning."""
    entities: list[Entity] = []
    for path in sorted(_FACTS.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
            head, *facts = block.splitlines()
            name, topic = (part.strip() for part in head.split("|"))
            held_out = len(entities) % 5 in _HELD_OUT_RESIDUES
            entities.append(Entity(name, topic, path.stem, tuple(facts), held_out))
    return tuple(entities)
