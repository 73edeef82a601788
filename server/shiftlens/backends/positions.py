"""What a server says of one position, checked and made into a rank and candidates.

Ranks are rebuilt from logprobs. The order in which a server lists candidates, and the ranks that it writes itself,
follow rules that differ among servers and among positions of one answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shiftlens.backends.protocol import SideNumbers
from shiftlens.scores.columns import UNKNOWN_RANK, float32_column, int32_column

# Of rounding: how far a logprob may be above 0, two values of one token apart, and probabilities above 1 together.
_ABOVE_ZERO = 1e-3
_APART = 1e-3
_ABOVE_ONE = 1e-2
_NO_LOGPROB = -9999.0
"""What vLLM writes for minus infinity, which JSON has no number for."""


class BadAnswer(Exception):
    """What is wrong with an answer, as a part of a sentence that follows "the server"."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """The logprob (nats) and the rank of a token (see `scores.columns.rank_of`), and the k candidates in its place.

    `best` is the logprob of the most likely token there. `top` has ids and logprobs, most likely first; it is empty
    where a server names its candidates by texts alone, which don't tell ids.
    """

    logprob: float
    rank: int
    best: float
    top: tuple[tuple[int, float], ...]


def position(own: int, logprob: float | None, candidates: Mapping[int, float], k: int) -> Position:
    """The position of the token `own`. `candidates` are the k most likely tokens, and may have `own` beside them.

    `logprob` is None where only the candidates tell it. Raises BadAnswer.
    """
    listed = candidates.get(own)
    if logprob is None:
        logprob = listed
    if logprob is None:
        raise BadAnswer(f"leaves out the token {own} that it was to score")
    if listed is not None and not _alike(listed, logprob):
        raise BadAnswer("gives a token two logprobs in one place, so that its columns belong to two positions")
    check_logprobs((logprob, *candidates.values()))
    others = sorted([(-value, token) for token, value in candidates.items() if token != own])
    is_among = len(others) == k - 1 and listed is not None
    if len(others) < k and not is_among:
        raise BadAnswer(f"gives fewer candidates than the {k} that were asked for")
    best = [(token, -value) for value, token in others[:k]]
    if not is_among and logprob > best[-1][1] + _APART:
        raise BadAnswer("leaves a token out of its candidates that is more likely than one of them")
    greater = next((at for at, (_, value) in enumerate(best) if value <= logprob), len(best))
    if is_among:
        # Behind those that are as likely.
        at = next((at for at in range(greater, len(best)) if best[at][1] < logprob), len(best))
        best.insert(at, (own, logprob))
    check_mass([value for _, value in best])
    rank = 1 + greater if greater < k else -k
    if best[-1][1] <= _NO_LOGPROB or best[0][1] > 0:
        best = [(token, _real(value)) for token, value in best]
    return Position(_real(logprob), rank, best[0][1], tuple(best))


def position_of_texts(own: str, logprob: float, candidates: Mapping[str, float], k: int) -> Position:
    """The same where candidates are named by their texts, which several tokens may share: then one hides others.

    Raises BadAnswer.
    """
    check_logprobs((logprob, *candidates.values()))
    others = [value for text, value in candidates.items() if text != own]
    if not others and own not in candidates:
        raise BadAnswer("gives no candidates")
    listed = candidates.get(own)
    check_mass(candidates.values() if len(candidates) <= k else others)
    greater = sum(value > logprob for value in others)
    is_itself = listed is not None and _alike(listed, logprob)
    own_least = logprob if listed is None else min(listed, logprob)
    if len(others) >= k:
        rank = 1 + greater if greater < k else -k
    elif len(others) == k - 1 and is_itself and any(value < own_least for value in others):
        # It is more likely than one of the k (no tie will do), so that it is one of them, and none of them is hidden.
        rank = 1 + greater
    else:
        rank = -greater if greater else UNKNOWN_RANK
    return Position(_real(logprob), rank, _real(max((logprob, *others))), ())


def check_logprobs(values: Sequence[float]) -> None:
    """Raises BadAnswer for what can't be logprobs."""
    for value in values:
        # One comparison, since this is run for every candidate of every position.
        if not -math.inf < value <= _ABOVE_ZERO:
            what = f"{value:g} as a logprob, which is above 0, as logits are"
            raise BadAnswer(f"gives {what if math.isfinite(value) else f'{value} as a logprob'}")


def check_mass(logprobs: Iterable[float]) -> None:
    """Raises BadAnswer where the probabilities of tokens that exclude each other are more than 1 together."""
    total = sum(map(math.exp, logprobs))
    if total > 1 + _ABOVE_ONE:
        raise BadAnswer(f"gives candidates whose probabilities are {total:.3f} together, so that they are no logprobs")


def as_numbers(positions: Sequence[Position], k: int) -> SideNumbers:
    """The columns of positions, without candidates where one of them has none."""
    had = k if all(len(each.top) == k for each in positions) else 0
    tops = [item for each in positions for item in each.top] if had else []
    return SideNumbers(
        k=had,
        logprob=float32_column(each.logprob for each in positions),
        rank=int32_column(each.rank for each in positions),
        entropy=b"",
        top_ids=int32_column([token for token, _ in tops]),
        top_logprobs=float32_column([value for _, value in tops]),
    )


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _APART


def _real(logprob: float) -> float:
    return -math.inf if logprob <= _NO_LOGPROB else min(logprob, 0.0)
