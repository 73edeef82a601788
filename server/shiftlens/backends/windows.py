"""Where windows lie in a text that is longer than a model.

The first window is as long as the model allows. Each later one goes on for half of that, and begins with the ids that
begin any text (BOS) and as many of the last ids before as then fit. So each row has its whole context, or more than
half of the model's length. Windows lie at the same places however long the text becomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shiftlens.backends.protocol import SideInput


@dataclass(frozen=True, slots=True)
class Window:
    """Ids [0, lead) and [start, end) of a pass are fed, and rows [first, end) are read off."""

    lead: int
    start: int
    first: int
    end: int


def windows(length: int, most: int, lead: int) -> Iterator[Window]:
    """The windows of a pass of `length` ids, of which `lead` begin any text, through a model that takes `most`."""
    yield Window(0, 0, 0, min(length, most))
    lead = min(lead, most // 4)
    for first in range(most, length, most // 2):
        full_end = first + most // 2
        yield Window(lead, full_end - most + lead, first, min(length, full_end))


def text_of(asked: SideInput) -> tuple[int, ...]:
    """The ids before and of a response, and that of its end, which is scored like a token."""
    return (*asked.prefix_ids, *asked.ids, asked.end_id)


def texts(asked: SideInput, most: int | None) -> Iterator[tuple[tuple[int, ...], int, range]]:
    """The texts by which an input is scored: ids, the first of them that is scored, and the rows that this gives.

    `most` ids can be before a token that is scored; None for any number.
    """
    text = text_of(asked)
    first_row, length = len(asked.prefix_ids) - 1, len(text) - 1
    for window in windows(length, most or length, asked.lead):
        start = max(window.first, first_row)
        if start < window.end:
            ids = (*text[: window.lead], *text[window.start : window.end + 1])
            yield ids, start + 1 - window.start + window.lead, range(start - first_row, window.end - first_row)
