"""What a server says of one position, checked and made into a rank and candidates.

Ranks are rebuilt from logprobs. The order in which a server lists candidates, and the ranks that it writes itself,
follow rules that differ among servers and among positions of one answer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from shiftlens.backends.protocol import SideNumbers
from shiftlens.scores.columns import UNKNOWN_RANK

# Of rounding: how far a logprob may be above 0, two values of one token apart, and probabilities above 1 together.
_ABOVE_ZERO = 1e-3
_APART = 1e-3
_ABOVE_ONE = 1e-2
_NO_LOGPROB = -9999.0
"""What vLLM writes for minus infinity, which JSON has no number for."""


class BadAnswer(Exception):
    """What is wrong with an answer, as a part of a sentence that follows "the server"."""


Numbers = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
_ANY = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Positions:
    """What a server says of n positions of a text, in nats.

    - logprob: float64 [n], of the token there.
    - rank: int64 [n], see `scores.columns.rank_of`.
    - best: float64 [n], of the most likely token there.
    - top_ids: int64 [n, k], the candidates, most likely first; top_logprobs: float64 [n, k]. k is 0 where a server
      names candidates by texts alone, which don't tell ids.
    """

    logprob: Numbers
    rank: Ids
    best: Numbers
    top_ids: Ids
    top_logprobs: Numbers

    def __len__(self) -> int:
        return len(self.logprob)

    @property
    def k(self) -> int:
        return int(self.top_ids.shape[1])

    @classmethod
    def joined(cls, parts: Sequence[Positions]) -> Positions:
        """One behind the other, without candidates where a part has none."""
        k = min((each.k for each in parts), default=0)
        return cls(
            np.concatenate([np.empty(0), *(each.logprob for each in parts)]),
            np.concatenate([np.empty(0, np.int64), *(each.rank for each in parts)]),
            np.concatenate([np.empty(0), *(each.best for each in parts)]),
            np.concatenate([np.empty((0, k), np.int64), *(each.top_ids[:, :k] for each in parts)]),
            np.concatenate([np.empty((0, k)), *(each.top_logprobs[:, :k] for each in parts)]),
        )


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a server lists of n positions, one position behind the other, in its own order.

    `counts`: int64 [n], how many each has. `ids`: int64, each once in a position at most. `logprobs`: float64, of them.
    """

    counts: Ids
    ids: Ids
    logprobs: Numbers

    @classmethod
    def of(cls, rows: Sequence[Mapping[int, float]]) -> Candidates:
        return cls.flat(rows, [value for row in rows for value in row.values()])

    @classmethod
    def flat(cls, ids: Sequence[Collection[int]], logprobs: Sequence[float]) -> Candidates:
        """Of the ids of each position, and the logprobs of all of them."""
        every = np.asarray(logprobs, np.float64)
        counts = np.fromiter(map(len, ids), np.int64, len(ids))
        return cls(counts, np.fromiter(chain.from_iterable(ids), np.int64, len(every)), every)


def positions(own: Sequence[int], logprobs: Sequence[float] | None, candidates: Candidates, k: int) -> Positions:
    """The positions of the tokens `own`. `candidates` has the k most likely tokens in the place of each, and may have
    that itself beside them. `logprobs` are None where only the candidates tell them. Raises BadAnswer.
    """
    counts, rows, width = candidates.counts, len(own), int(candidates.counts.max(initial=k))
    is_there = np.arange(width) < counts[:, None]
    ids, values = np.full((rows, width), _ANY), np.full((rows, width), -np.inf)
    ids[is_there], values[is_there] = candidates.ids, candidates.logprobs
    owns = np.asarray(own, np.int64)
    is_own = is_there & (ids == owns[:, None])
    is_listed = is_own.any(axis=1)
    listed = np.where(is_own, values, 0.0).sum(axis=1)
    if logprobs is None and not is_listed.all():
        raise BadAnswer(f"leaves out the token {own[int((~is_listed).argmax())]} that it was to score")
    logprob = listed if logprobs is None else np.asarray(logprobs, np.float64)
    check_logprobs(np.concatenate([logprob, candidates.logprobs]))
    if logprobs is not None and (is_listed & (np.abs(listed - logprob) > _APART)).any():
        raise BadAnswer("gives a token two logprobs in one place, so that its columns belong to two positions")
    # A token that is beside its k candidates is none of them.
    others = counts - is_listed
    is_among = is_listed & (others == k - 1)
    if ((others < k) & ~is_among).any():
        raise BadAnswer(f"gives fewer candidates than the {k} that were asked for")
    taken = is_there & (~is_own | is_among[:, None])
    values = np.where(is_own, logprob[:, None], values)
    # Those that are as likely stand by their ids, and the token itself behind them.
    order = np.lexsort((np.where(is_own, _ANY, ids), np.where(taken, -values, np.inf), ~taken), axis=1)[:, :k]
    top_ids, top = np.take_along_axis(ids, order, axis=1), np.take_along_axis(values, order, axis=1)
    if (~is_among & (logprob > top[:, -1] + _APART)).any():
        raise BadAnswer("leaves a token out of its candidates that is more likely than one of them")
    check_mass(top)
    greater = ((top > logprob[:, None]) & (top_ids != owns[:, None])).sum(axis=1)
    return Positions(_real(logprob), np.where(greater < k, 1 + greater, -k), _real(top[:, 0]), top_ids, _real(top))


def positions_of_texts(
    own: Sequence[str], logprobs: Sequence[float], candidates: Sequence[Mapping[str, float]], k: int
) -> Positions:
    """The same where candidates are named by their texts, which several tokens may share: then one hides others.

    Raises BadAnswer.
    """
    ranks = [_rank_among_texts(*each, k) for each in zip(own, logprobs, candidates, strict=True)]
    best = [max((logprob, *top.values())) for logprob, top in zip(logprobs, candidates, strict=True)]
    none = np.empty((len(own), 0))
    return Positions(
        _real(np.asarray(logprobs, np.float64)),
        np.asarray(ranks, np.int64),
        _real(np.asarray(best, np.float64)),
        none.astype(np.int64),
        none,
    )


def _rank_among_texts(own: str, logprob: float, candidates: Mapping[str, float], k: int) -> int:
    """Raises BadAnswer."""
    check_logprobs(np.asarray([logprob, *candidates.values()]))
    others = [value for text, value in candidates.items() if text != own]
    if not others and own not in candidates:
        raise BadAnswer("gives no candidates")
    listed = candidates.get(own)
    check_mass(np.asarray([list(candidates.values()) if len(candidates) <= k else others]))
    greater = sum(value > logprob for value in others)
    is_itself = listed is not None and abs(listed - logprob) <= _APART
    own_least = logprob if listed is None else min(listed, logprob)
    if len(others) >= k:
        return 1 + greater if greater < k else -k
    if len(others) == k - 1 and is_itself and any(value < own_least for value in others):
        # It is more likely than one of the k (no tie will do), so that it is one of them, and none of them is hidden.
        return 1 + greater
    return -greater if greater else UNKNOWN_RANK


def check_logprobs(values: Numbers) -> None:
    """Raises BadAnswer for what can't be logprobs."""
    is_wrong = ~((values > -np.inf) & (values <= _ABOVE_ZERO))
    if is_wrong.any():
        value = float(values[int(is_wrong.argmax())])
        what = f"{value:g} as a logprob, which is above 0, as logits are"
        raise BadAnswer(f"gives {what if math.isfinite(value) else f'{value} as a logprob'}")


def check_mass(logprobs: Numbers) -> None:
    """Raises BadAnswer where the probabilities of tokens that exclude each other are more than 1 together.

    `logprobs` has a row of such tokens for each position.
    """
    totals = np.exp(logprobs).sum(axis=1)
    if (totals > 1 + _ABOVE_ONE).any():
        raise BadAnswer(
            f"gives candidates whose probabilities are {totals.max():.3f} together, so that they are no logprobs"
        )


def as_numbers(found: Positions) -> SideNumbers:
    """The columns of positions."""
    return SideNumbers(
        k=found.k,
        logprob=found.logprob.astype(np.float32).tobytes(),
        rank=found.rank.astype(np.int32).tobytes(),
        entropy=b"",
        top_ids=found.top_ids.astype(np.int32).tobytes(),
        top_logprobs=found.top_logprobs.astype(np.float32).tobytes(),
    )


def _real(logprobs: Numbers) -> Numbers:
    return np.where(logprobs <= _NO_LOGPROB, -np.inf, np.minimum(logprobs, 0.0))
