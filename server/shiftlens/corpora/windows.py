"""How responses are put together to be scored at once: some of one place after the other, in an order by length.

Which responses are scored together hangs on nothing but the place where a window begins, so that a run that goes on
from there comes to the same numbers, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from shiftlens.corpora.reading import Found, Place, Problem, Reached
from shiftlens.transcripts.model import Before, Turn

MOST_RESPONSES = 128
MOST_CHARACTERS = 200_000
MOST_CONTEXT_CHARACTERS = 20_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """Responses that are scored at once and committed together, and what could not be read on the way.

    `then` is where the next window begins, `done` how much of the corpus is read by then.
    """

    found: tuple[Found, ...]
    problems: tuple[Problem, ...]
    then: Place
    done: float


@dataclass(slots=True)
class _Filling:
    """A window that is being filled."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    characters: int = 0
    context: int = 0

    @property
    def is_full(self) -> bool:
        return (
            len(self.found) >= MOST_RESPONSES
            or len(self.problems) >= MOST_RESPONSES
            or self.characters >= MOST_CHARACTERS
            or self.context >= MOST_CONTEXT_CHARACTERS
        )

    def window(self, then: Place, done: float) -> Window:
        return Window(tuple(self.found), tuple(self.problems), then, done)


def windows(reached: Iterable[Reached]) -> Iterator[Window]:
    """What is read, in windows of bounded size; a response that is larger is a window of its own."""
    filling, then, done = _Filling(), Place(), 0.0
    lengths = _ContextLengths()
    for step in reached:
        filling.problems += step.problems
        for at, found in enumerate(step.responses):
            filling.found.append(found)
            filling.characters += sum(len(part.text) for part in found.response.turn.parts)
            filling.context += lengths.of(found)
            is_last = at == len(step.responses) - 1
            then = step.then if is_last else replace(found.at, response=found.at.response + 1)
            if filling.is_full:
                yield filling.window(then, step.done)
                filling = _Filling()
        then, done = step.then, step.done
        if filling.is_full:
            yield filling.window(then, done)
            filling = _Filling()
    if filling.found or filling.problems:
        yield filling.window(then, done)


def by_length(found: Sequence[Found]) -> list[Found]:
    """In an order in which those next to each other are nearly of one length: short ones first.

    Responses of one conversation stay together, since one pass scores all of them.
    """
    lengths = _ContextLengths()
    talks = [list(talk) for _, talk in groupby(found, _conversation)]
    last = [lengths.of(talk[-1]) + sum(len(part.text) for part in talk[-1].response.turn.parts) for talk in talks]
    order = sorted(range(len(talks)), key=lambda at: (last[at], at))
    return [each for at in order for each in talks[at]]


class _ContextLengths:
    """How many characters there are before a response; each conversation is counted once."""

    def __init__(self) -> None:
        self._turns: Sequence[Turn] = ()
        self._sums: list[int] = []

    def of(self, found: Found) -> int:
        before = found.response.context
        if not isinstance(before, Before):
            return sum(map(_characters, before))
        if before.turns is not self._turns:
            self._turns = before.turns
            self._sums = [0, *accumulate(map(_characters, before.turns))]
        return self._sums[before.end]


def _conversation(found: Found) -> tuple[int, int, int]:
    return found.at.file, found.at.row, found.response.conversation


def _characters(turn: Turn) -> int:
    return sum(len(part.text) for part in turn.parts)
