"""Two ways to cut one text into tokens, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens [first, end) of one way and [other_first, other_end) of the other: the same bytes."""

    first: int
    end: int
    other_first: int
    other_end: int

    @property
    def is_one_to_one(self) -> bool:
        return self.end - self.first == 1 == self.other_end - self.other_first


def common_groups(ends: Sequence[int], other_ends: Sequence[int]) -> list[Group]:
    """The smallest groups of tokens that end at a common byte. Both ways end at the same byte, and never step back.

    Every group has a token of each way at least. Tokens without bytes go with what follows them, at the end with what
    is before.
    """
    groups: list[Group] = []
    i = j = 0
    while i < len(ends) and j < len(other_ends):
        first, other_first = i, j
        i, j = i + 1, j + 1
        while ends[i - 1] != other_ends[j - 1]:
            if ends[i - 1] < other_ends[j - 1]:
                i += 1
            else:
                j += 1
        groups.append(Group(first, i, other_first, j))
    if groups:
        last = groups[-1]
        groups[-1] = Group(last.first, len(ends), last.other_first, len(other_ends))
    return groups
