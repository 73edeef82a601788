"""Lines of a page of plain text, which may begin with a place of the file that they tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shiftlens.report.text.columns import columns
from shiftlens.text.lines import LineIndex

WIDTH = 80
"""How many characters a line of running text may have."""

NOWHERE = "-"
"""What stands for the place of a token that an edit has touched."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its break. `span` is where in the file that lies which its first word names, as LINE:COLUMN."""

    text: str
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where spans of the analysed text are now: `lines` of the present text, and the way there (None where there is no
    such place any more)."""

    lines: LineIndex
    now: Callable[[int, int], tuple[int, int] | None]

    def of(self, start: int, end: int) -> tuple[str, tuple[int, int] | None]:
        """A span as LINE:COLUMN, both from 1 and in characters as on the command line, and as it is now."""
        span = self.now(start, end)
        if span is None:
            return NOWHERE, None
        line, column = self.lines.position(span[0], "utf-32")
        return f"{line + 1}:{column + 1}", span


def placed_table(
    places: Places | None,
    head: Sequence[str],
    rows: Iterable[tuple[int, int, Sequence[str]]],
    words: Iterable[int],
) -> Iterator[Line]:
    """A table of (start, end, cells), with the place of each row as its first column where there are `places`.

    `words` are the columns of `head` that stand to the left.
    """
    every = list(rows)
    if places is None:
        yield from map(Line, columns([head, *(cells for *_, cells in every)], words=tuple(words)))
        return
    found = [places.of(start, end) for start, end, _ in every]
    table = [("place", *head), *((name, *cells) for (name, _), (*_, cells) in zip(found, every, strict=True))]
    texts = columns(table, words=(0, *(column + 1 for column in words)))
    yield Line(texts[0])
    yield from (Line(text, span) for text, (_, span) in zip(texts[1:], found, strict=True))
