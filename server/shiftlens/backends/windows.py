"""Where windows lie in a text that is longer than a model.

The first window is as long as the model allows. Each later one goes on for half of that, and begins with the ids that
begin any text (BOS) and as many of the last ids before as then fit. So each row has its whole context, or more than
half of the model's length. Windows lie at the same places however long the text becomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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
