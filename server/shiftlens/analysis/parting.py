"""How far a continuation parts from what a response says, in numbers that `docs/cross-sampling.md` defines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

END = None
"""What stands in a sequence of tokens where the text ends; the others are the bytes of each token."""

Tokens = Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Parting:
    """How a continuation parts from the response, both taken behind the position and within one window of tokens.

    - same_tokens, same_characters: how many they begin with in common.
    - parts: whether there is any difference in the window.
    - edit_distance: the fewest insertions, deletions and replacements of tokens that make one of the other, divided by
      the tokens of the longer one: 0 the same, 1 nothing in common.
    - common_bigrams: twice the pairs of neighbouring tokens that both have, divided by all pairs of both, from 0 to 1;
      not a number where neither has a pair.
    - window: the number of tokens that were compared at the most.
    """

    same_tokens: int
    same_characters: int
    parts: bool
    edit_distance: float
    common_bigrams: float
    window: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, least and greatest of some numbers; not numbers where there are none."""

    mean: float
    least: float
    most: float
    count: int


def distance(parting: Parting) -> float:
    return parting.edit_distance


def parting(said: Sequence[bytes], continued: Sequence[bytes], *, said_ends: bool, end: str, window: int) -> Parting:
    """How a continuation parts from what the response says, both behind the swapped position.

    `said_ends` tells that the response ends with `said`, `end` how the continuation does (see `WrittenToken`); an end
    counts as a token. `window` is how many tokens the continuation might have had.
    """
    # Of a model that takes no more it is not known how it would have gone on.
    most = len(continued) if end == "room" else window
    own: Tokens = [*continued, *([END] if end in ("end", "close") else [])][:most]
    theirs: Tokens = [*said, *([END] if said_ends else [])][:most]
    same = _common(own, theirs)
    return Parting(
        same_tokens=same,
        same_characters=_common(_text(own), _text(theirs)),
        parts=list(own) != list(theirs),
        edit_distance=edit_distance(own, theirs),
        common_bigrams=common_bigrams(own, theirs),
        window=most,
    )


def edit_distance(first: Tokens, second: Tokens) -> float:
    """Levenshtein's distance of two sequences of tokens, divided by the longer length; 0 for two empty ones."""
    longest = max(len(first), len(second))
    if not longest:
        return 0.0
    same = _common(first, second)
    first, second = first[same:], second[same:]
    row = list(range(len(second) + 1))
    for at, one in enumerate(first, start=1):
        diagonal, row[0] = row[0], at
        for place, other in enumerate(second, start=1):
            replaced = diagonal + (one != other)
            diagonal = row[place]
            row[place] = min(replaced, diagonal + 1, row[place - 1] + 1)
    return row[-1] / longest


def common_bigrams(first: Tokens, second: Tokens) -> float:
    """Dice's coefficient of the pairs of neighbouring tokens, each counted as often as it comes (ROUGE-2's F1)."""
    left, right = Counter(pairwise(first)), Counter(pairwise(second))
    every = left.total() + right.total()
    return 2 * (left & right).total() / every if every else math.nan


def spread(values: Iterable[float]) -> Spread:
    """Of those values that are numbers."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(math.fsum(known) / len(known), min(known), max(known), len(known))


def _common(first: Sequence[object], second: Sequence[object]) -> int:
    """How many items two sequences begin with in common."""
    found = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        found += 1
    return found


def _text(tokens: Tokens) -> str:
    return b"".join(each for each in tokens if each is not None).decode("utf-8", "replace")
