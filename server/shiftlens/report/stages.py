"""What a report or a site shows of several tuned models, as plain values."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.analysis.stages_of_file import FileStages, NotCompared, ResponseStages
from shiftlens.report.text.stages import gap_words, moved_head, moved_rows, moved_words


@dataclass(frozen=True, slots=True)
class StagesNamed:
    """The stages by their names, in the order of the training, and from which change of a probability on they move a
    token."""

    names: tuple[str, ...]
    min_change: float

    @property
    def head(self) -> tuple[str, ...]:
        """What stands above the rows of a response."""
        return moved_head(len(self.names))


@dataclass(frozen=True, slots=True)
class StagesOfResponse:
    """How much of a response each stage was the first to move, in words, and a row for each position that any moved.

    `notes` are what the pairs with all stages note of the response.
    """

    words: str
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, found: ResponseStages) -> StagesOfResponse:
        return cls(moved_words(found.summary), moved_rows(found.rows), found.notes)


@dataclass(frozen=True, slots=True)
class StagesSection:
    """The stages of a file, and its responses by their index. `words` are on all of them, "" where none is compared."""

    named: StagesNamed
    words: str
    responses: dict[int, StagesOfResponse]

    @classmethod
    def of(cls, found: FileStages) -> StagesSection:
        return cls(
            named=StagesNamed(tuple(analysis.pair.aligned for analysis in found.analyses), found.min_change),
            words=moved_words(found.summary) if found.responses else "",
            responses={each.analysis.response.index: StagesOfResponse.of(each) for each in found.responses},
        )


class StagesBeside:
    """What is compared of a file, asked for along with its responses, in their order and each once."""

    def __init__(self, names: tuple[str, ...], compared: Iterable[ResponseStages | NotCompared]) -> None:
        self._names, self._left = names, iter(compared)
        self._next = next(self._left, None)

    def of(self, index: int) -> tuple[ResponseStages | None, tuple[str, ...]]:
        """What is compared of a response, None for nothing, and sentences on what is not compared up to it."""
        found, gaps = None, []
        while self._next is not None and _index(self._next) <= index:
            if isinstance(self._next, NotCompared):
                gaps.append(gap_words(self._next, self._names))
            elif _index(self._next) == index:
                found = self._next
            self._next = next(self._left, None)
        return found, tuple(gaps)

    def rest(self) -> tuple[str, ...]:
        """Sentences on what is not compared behind the last response that was asked for."""
        return self.of(sys.maxsize)[1]


def _index(found: ResponseStages | NotCompared) -> int:
    return found.index if isinstance(found, NotCompared) else found.analysis.response.index
