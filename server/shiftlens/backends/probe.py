"""What a server really gives, seen before its numbers are used.

A server may answer 200 with numbers of other positions, of other tokens, or with logits, and two answers to one request
may differ. Each answer is checked as it is read (see `positions`); the probe sees what one answer can't show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shiftlens.backends.positions import BadAnswer, Position

Score = Callable[[Sequence[int], int], Awaitable[list[Position]]]
"""The positions of a text's ids from the second on, with so many candidates. Raises BadAnswer."""

Tell = Callable[[Sequence[int], Sequence[Sequence[int]]], Awaitable[list[list[float]]]]
"""The logprobs of tokens in the places of a text's ids from the second on. Raises BadAnswer."""

LONGEST = 512
"""How many ids of a text the probe has scored."""

_FEW = 8
_USUALLY_APART = 0.1
_MOST_APART = 1.0
"""Nats between two answers to one request, in the mean and at the most. Batches of other shapes round otherwise: logits
of bfloat16 have steps of 0.06 to 0.13 between 8 and 32. Numbers of other positions are apart by several nats."""

_NO_CHANGE = 1e-4


async def probe(ids: Sequence[int], k: int, score: Score) -> tuple[tuple[int, ...], list[Position]]:
    """Have the beginning of a text scored in several ways. Raises BadAnswer. Gives a few ids and their positions.

    - Of a few ids: the same with another id in one place (its most likely candidate where those are named). What may
      stand there, and what comes before, is as likely as it was; what comes after is not.
    - Of many: alone, then amid others, then again, when the server may have kept them.
    """
    many = tuple(ids[:LONGEST])
    few = many[:_FEW]
    alone = await score(few, k)
    await _another_id(few, alone, k, score)
    if len(many) == len(few):
        return few, alone
    first = await score(many, k)
    _compare("a text and its beginning", first[: len(alone)], alone)
    amid = await asyncio.gather(score(many, k), score(few, k), score(many[: len(many) // 2 + 1], k))
    _compare("a text alone and the same text amid others", first, amid[0])
    _compare("a text and its first half", first[: len(amid[2])], amid[2])
    _compare("a text and the same text again", first, await score(many, k))
    return few, alone


async def probe_tokens(few: Sequence[int], positions: Sequence[Position], tell: Tell) -> None:
    """Have a server tell the logprobs of the candidates that it gave for a few ids before. Raises BadAnswer.

    Those of other positions or other tokens are others.
    """
    asked = [[token for token, _ in reversed(each.top)] for each in positions]
    told = await tell(few, asked)
    before = [logprob for each in positions for _, logprob in reversed(each.top)]
    if not alike(before, [logprob for row in told for logprob in row]):
        raise BadAnswer("gives tokens that it is asked for other logprobs than when they are candidates")


async def _another_id(few: tuple[int, ...], alone: list[Position], k: int, score: Score) -> None:
    """Raises BadAnswer where numbers are those of the position before or after."""
    places = range(1, len(few) - 1)
    others = [_other_than(few[at], alone[at - 1], few) for at in places]
    texts = [(*few[:at], other, few[at + 1]) for at, other in zip(places, others, strict=True) if other is not None]
    if not texts:
        return
    was, found, changes = [], [], []
    for text, positions in zip(texts, await asyncio.gather(*(score(text, k) for text in texts)), strict=True):
        at = len(text) - 2
        _compare("a text and the same text with another end", positions[: at - 1], alone[: at - 1])
        before, here = alone[at - 1], positions[at - 1]
        was.append(before.best)
        found.append(here.best)
        listed = dict(before.top).get(text[at])
        if listed is not None:
            was.append(listed)
            found.append(here.logprob)
        changes.append(_apart(positions[at].logprob, alone[at].logprob))
    if not alike(was, found):
        raise BadAnswer("says other things of a position when its own token is another one: it is off by one position")
    if max(changes) < _NO_CHANGE:
        raise BadAnswer("says the same of a position whatever token is before it: it is off by one position")


def _other_than(token: int, position: Position, few: Sequence[int]) -> int | None:
    """The most likely candidate that is another id; without candidates, any other id of the text."""
    named = [other for other, _ in position.top] or list(few)
    return next((other for other in named if other != token), None)


def _compare(what: str, one: Sequence[Position], other: Sequence[Position]) -> None:
    """Raises BadAnswer where logprobs of the same positions differ by more than rounding."""
    ours, theirs = [each.logprob for each in one], [each.logprob for each in other]
    if not alike(ours, theirs):
        most = max(_apart(a, b) for a, b in zip(ours, theirs, strict=True))
        raise BadAnswer(
            f"gives {what} logprobs that are up to {most:.3f} nats apart (speculative decoding does that in some"
            " versions, and so does a cache of prefixes)"
        )


def alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether logprobs of the same tokens, in nats, differ by no more than rounding may do."""
    apart = [_apart(a, b) for a, b in zip(one, other, strict=True)]
    return not apart or (max(apart) <= _MOST_APART and sum(apart) / len(apart) <= _USUALLY_APART)


def _apart(one: float, other: float) -> float:
    return 0.0 if one == other else abs(one - other)
