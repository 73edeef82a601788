"""How many responses are prepared before any of them is scored."""

from __future__ import annotations

from collections.abc import Iterator

_FIRST_PORTION, _PORTION = 8, 64


def portions(count: int, most: int = _PORTION) -> Iterator[range]:
    """Responses to be prepared before any of them is scored: few at first, so that the first colours come early, then
    enough to find several of one length among them, unless `most` is less."""
    start, size = 0, _FIRST_PORTION
    while start < count:
        yield range(start, min(count, start + size))
        start, size = start + size, most
