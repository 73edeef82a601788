"""The two sides of a run take turns."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turns(sides: Sequence[Generator[T, None, None]]) -> Iterator[tuple[int, T | None]]:
    """What comes of both sides, which take turns until each has ended; None is the last of each."""
    left = dict(enumerate(sides))
    try:
        while left:
            for which, side in list(left.items()):
                event = next(side, None)
                if event is None:
                    del left[which]
                yield which, event
    finally:
        for side in left.values():
            side.close()
