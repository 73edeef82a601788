"""What a server really gives, seen before its numbers are used.

A server may answer 200 with numbers of other positions, of other tokens, or with logits, and two answers to one request
may differ. Each answer is checked as it is read (see `positions`); the probe sees what one answer can't show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shiftlens.backends.positions import BadAnswer, Numbers, Positions

Score = Callable[[Sequence[int], int], Awaitable[Positions]]
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


async def probe(ids: Sequence[int], k: int, score: Score) -> tuple[tuple[int, ...], Positions]:
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
    _compare("a text and its beginning", first.logprob[: len(alone)], alone.logprob)
    amid = await asyncio.gather(score(many, k), score(few, k), score(many[: len(many) // 2 + 1], k))
    _compare("a text alone and the same text amid others", first.logprob, amid[0].logprob)
    _compare("a text and its first half", first.logprob[: len(amid[2])], amid[2].logprob)
    _compare("a text and the same text again", first.logprob, (await score(many, k)).logprob)
    return few, alone


async def probe_tokens(few: Sequence[int], positions: Positions, tell: Tell) -> None:
    """Have a server tell the logprobs of the candidates that it gave for a few ids before. Raises BadAnswer.

    Those of other positions or other tokens are others.
    """
    told = await tell(few, positions.top_ids[:, ::-1].tolist())
    before = positions.top_logprobs[:, ::-1].ravel().tolist()
    if not alike(before, [logprob for row in told for logprob in row]):
        raise BadAnswer("gives tokens that it is asked for other logprobs than when they are candidates")


async def _another_id(few: tuple[int, ...], alone: Positions, k: int, score: Score) -> None:
    """Raises BadAnswer where numbers are those of the position before or after."""
    places = range(1, len(few) - 1)
    others = [_other_than(few[at], alone.top_ids[at - 1].tolist() or few) for at in places]
    texts = [(*few[:at], other, few[at + 1]) for at, other in zip(places, others, strict=True) if other is not None]
    if not texts:
        return
    was, found, changes = [], [], []
    for text, positions in zip(texts, await asyncio.gather(*(score(text, k) for text in texts)), strict=True):
        at = len(text) - 2
        _compare("a text and the same text with another end", positions.logprob[: at - 1], alone.logprob[: at - 1])
        was.append(float(alone.best[at - 1]))
        found.append(float(positions.best[at - 1]))
        is_listed = alone.top_ids[at - 1] == text[at]
        if is_listed.any():
            was.append(float(alone.top_logprobs[at - 1][is_listed][0]))
            found.append(float(positions.logprob[at - 1]))
        changes.append(_apart(positions.logprob[at], alone.logprob[at]))
    if not alike(was, found):
        raise BadAnswer("says other things of a position when its own token is another one: it is off by one position")
    if max(changes) < _NO_CHANGE:
        raise BadAnswer("says the same of a position whatever token is before it: it is off by one position")


def _other_than(token: int, ids: Sequence[int]) -> int | None:
    """The first of them that is another id."""
    return next((other for other in ids if other != token), None)


def _compare(what: str, one: Numbers, other: Numbers) -> None:
    """Raises BadAnswer where logprobs of the same positions differ by more than rounding."""
    if not alike(one.tolist(), other.tolist()):
        most = max(_apart(a, b) for a, b in zip(one, other, strict=True))
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
