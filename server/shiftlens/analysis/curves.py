"""What figures show beside shares: base ranks, and distances of the two models by position."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.analysis.classify import ranks_of_response
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
class Distances:
    """Of one position, in nats: KL(aligned || base), the least Jensen-Shannon divergence, and the logprob of the token
    under the aligned model less that under the base. What is not known is not a number."""

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


class RanksTally:
    """Base ranks of responses, put together one by one. Memory stays the same however many come."""

    def __init__(self) -> None:
        self._ranks: Counter[int] = Counter()
        self._inexact = 0

    def add(self, analysis: ResponseAnalysis) -> None:
        """Count a response. Raises ValueError for scores of one model alone."""
        for rank in ranks_of_response(analysis.pair_scores):
            if rank > 0:
                self._ranks[max(edge for edge in RANK_EDGES if edge <= rank)] += 1
            else:
                self._inexact += 1

    def histogram(self) -> RankHistogram:
        """The base ranks so far."""
        ends = (*RANK_EDGES[1:], None)
        bins = tuple(RankBin(first, past, self._ranks[first]) for first, past in zip(RANK_EDGES, ends, strict=True))
        return RankHistogram(bins, self._inexact)
