"""What figures of many responses show beside shares: base ranks, and means of distances by position."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shiftlens.analysis.classify import ranks_of_response
from shiftlens.analysis.corpus import EDGES, position_bins
from shiftlens.analysis.divergence import js_between
from shiftlens.analysis.model import ResponseAnalysis, Token
from shiftlens.analysis.position_table import logprob_difference
from shiftlens.analysis.tokens import tokens

RANK_EDGES = (1, 2, 4, 11, 101, 1_001, 10_001)
"""Where the bins of base ranks begin: those of the classes, then powers of ten. The last one has no end."""


@dataclass(frozen=True, slots=True)
class RankBin:
    """How many positions have a base rank in [first, past), `past` None where there is no end."""

    first: int
    past: int | None
    positions: int


@dataclass(frozen=True, slots=True)
class RankHistogram:
    """Base ranks of positions; `inexact` have none that is known exactly."""

    bins: tuple[RankBin, ...]
    inexact: int


@dataclass(frozen=True, slots=True)
class Means:
    """Means over the positions [first, past) of all responses, `past` None where there is no end: KL(aligned || base)
    and the least Jensen-Shannon divergence, and the aligned model's logprob of the token less the base's, all in nats;
    not a number where no position has one."""

    first: int
    past: int | None
    kl: float
    js_at_least: float
    logprob_difference: float


@dataclass(frozen=True, slots=True)
class Distances:
    """Of one position, in nats: see `Means`. What is not known is not a number."""

    kl: float
    js_at_least: float
    logprob_difference: float


def distances(analysis: ResponseAnalysis, rows: Iterable[Token] | None = None) -> tuple[Distances, ...]:
    """Those of each position of a response, whose tokens may be given where they have been made already.

    Raises ValueError for scores of one model alone.
    """
    one_vocabulary = analysis.pair_scores.comparison.alignment is None
    return tuple(
        Distances(row.kl, js_between(row) if one_vocabulary else math.nan, logprob_difference(row))
        for row in (tokens(analysis) if rows is None else rows)
    )


class CurvesTally:
    """Base ranks and distances of responses, put together one by one. Memory stays the same however many come."""

    def __init__(self) -> None:
        self._ranks: Counter[int] = Counter()
        self._inexact = 0
        self._bins = [_Sums() for _ in EDGES]
        self._reached = 0

    def add(self, analysis: ResponseAnalysis, found: Sequence[Distances]) -> None:
        """Count a response, with the distances of its positions."""
        for rank in ranks_of_response(analysis.pair_scores):
            if rank > 0:
                self._ranks[max(edge for edge in RANK_EDGES if edge <= rank)] += 1
            else:
                self._inexact += 1
        for number, (first, past) in enumerate(position_bins(len(found))):
            self._bins[number].add(found[first:past])
            self._reached = max(self._reached, number + 1)

    def ranks(self) -> RankHistogram:
        """The base ranks so far."""
        ends = (*RANK_EDGES[1:], None)
        bins = tuple(RankBin(first, past, self._ranks[first]) for first, past in zip(RANK_EDGES, ends, strict=True))
        return RankHistogram(bins, self._inexact)

    def means(self) -> tuple[Means, ...]:
        """The means so far, of the bins of absolute positions (`corpus.EDGES`) up to the longest response."""
        ends = (*EDGES[1:], None)
        each = zip(self._bins[: self._reached], EDGES, ends, strict=False)
        return tuple(Means(first, past, *sums.means()) for sums, first, past in each)


class _Sums:
    def __init__(self) -> None:
        self._sums = [0.0] * 3
        self._counts = [0] * 3

    def add(self, found: Sequence[Distances]) -> None:
        columns = ([d.kl for d in found], [d.js_at_least for d in found], [d.logprob_difference for d in found])
        for at, column in enumerate(columns):
            known = [value for value in column if math.isfinite(value)]
            self._sums[at] += math.fsum(known)
            self._counts[at] += len(known)

    def means(self) -> tuple[float, float, float]:
        first, second, third = (
            total / count if count else math.nan for total, count in zip(self._sums, self._counts, strict=True)
        )
        return first, second, third
