"""Many responses together: shares by position, turn, file and pair, the curve of KL, tokens by shift ratio."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shiftlens.analysis.classify import combine
from shiftlens.analysis.model import CLASSES, ResponseAnalysis, ShiftClass, Summary
from shiftlens.analysis.profile import TENTHS, tenth_edges
from shiftlens.analysis.tokens import kl_of_positions
from shiftlens.options.pair import PairSpec

EDGES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Where the bins of absolute positions begin; the last one has no end."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bin:
    """The positions [first, past) of all responses, `past` None where there is no end; in tenths or from 0.
    `tokens` are those that have a class.

    `mean_kl` is the mean of KL(aligned || base) in nats over the `with_kl` positions that have one; not a number where
    none has.
    """

    first: int
    past: int | None
    tokens: int
    unshifted: int
    marginal: int
    shifted: int
    with_kl: int
    mean_kl: float


@dataclass(frozen=True, slots=True)
class TokenRatio:
    """How often a token was said where the class is known, and how often it was shifted there."""

    piece: bytes
    said: int
    shifted: int

    @property
    def ratio(self) -> float:
        return self.shifted / self.said


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """What a corpus's responses are together.

    - whole: counts of all positions, by part and by kind as well.
    - by_tenth: the tenths of every response, put together; by_position: bins of absolute positions from 0, of which
      those behind the longest response are left out.
    - by_turn: by the number of the turn in its conversation, from 0, ascending; by_file, by_pair: in the order in which
      they came, the pair as the names of base and aligned model.
    - tokens: every token that was shifted anywhere, the most often shifted first, and of equal ones the one with the
      greater ratio.
    """

    whole: Summary
    by_tenth: tuple[Bin, ...]
    by_position: tuple[Bin, ...]
    by_turn: tuple[tuple[int, Summary], ...]
    by_file: tuple[tuple[str, Summary], ...]
    by_pair: tuple[tuple[tuple[str, str], Summary], ...]
    tokens: tuple[TokenRatio, ...]


@dataclass(slots=True)
class _BinTally:
    """Counts of a bin so far, by class, and the sum of KL."""

    classes: Counter[int]
    kl: float = 0.0
    with_kl: int = 0

    def add(self, classes: bytes, kl: Sequence[float]) -> None:
        self.classes.update(classes)
        known = [value for value in kl if math.isfinite(value)]
        self.kl += math.fsum(known)
        self.with_kl += len(known)


class CorpusTally:
    """Responses put together one by one: memory grows with the number of files and of different tokens, not with that
    of responses."""

    def __init__(self) -> None:
        self._whole = Summary(0, 0, 0, 0)
        self._tenths = [_BinTally(Counter()) for _ in range(TENTHS)]
        self._bins = [_BinTally(Counter()) for _ in EDGES]
        self._turns: dict[int, Summary] = {}
        self._files: dict[str, Summary] = {}
        self._pairs: dict[tuple[str, str], Summary] = {}
        self._said: Counter[bytes] = Counter()
        self._shifted: Counter[bytes] = Counter()

    def add(self, file: str, pair: PairSpec, analysis: ResponseAnalysis) -> None:
        """Count a response of a file under a pair."""
        self._whole = combine((self._whole, analysis.summary))
        _add(self._turns, analysis.response.turn_index, analysis.summary)
        _add(self._files, file, analysis.summary)
        _add(self._pairs, (pair.base, pair.aligned), analysis.summary)
        rows = analysis.scored.rows
        kl = kl_of_positions(analysis.scored)
        for tally, first, past in (*_tenths_of(rows, self._tenths), *_bins_of(rows, self._bins)):
            tally.add(analysis.classes[first:past], kl[first:past])
        for piece, shift in _said(analysis):
            self._said[piece] += 1
            self._shifted[piece] += shift == ShiftClass.SHIFTED

    def summary(self) -> CorpusSummary:
        """What has been counted so far."""
        tokens = (TokenRatio(piece, self._said[piece], times) for piece, times in self._shifted.items() if times)
        reached = sum(bool(tally.classes) for tally in self._bins)
        return CorpusSummary(
            whole=self._whole,
            by_tenth=tuple(_bin(tally, at, at + 1) for at, tally in enumerate(self._tenths)),
            by_position=tuple(
                _bin(tally, first, past)
                for tally, first, past in zip(self._bins[:reached], EDGES, (*EDGES[1:], None), strict=False)
            ),
            by_turn=tuple(sorted(self._turns.items())),
            by_file=tuple(self._files.items()),
            by_pair=tuple(self._pairs.items()),
            tokens=tuple(sorted(tokens, key=lambda token: (-token.shifted, -token.ratio, token.piece))),
        )


def summarise_corpus(responses: Iterable[tuple[str, PairSpec, ResponseAnalysis]]) -> CorpusSummary:
    """Put responses together, each with the name of its file and its pair. Takes them one by one, as `CorpusTally`."""
    tally = CorpusTally()
    for file, pair, analysis in responses:
        tally.add(file, pair, analysis)
    return tally.summary()


def _add(found: dict[K, Summary], key: K, summary: Summary) -> None:
    found[key] = combine((found[key], summary)) if key in found else summary


def _tenths_of(rows: int, tallies: Sequence[_BinTally]) -> Iterator[tuple[_BinTally, int, int]]:
    return ((tally, *edges) for tally, edges in zip(tallies, itertools.pairwise(tenth_edges(rows)), strict=True))


def _bins_of(rows: int, tallies: Sequence[_BinTally]) -> Iterator[tuple[_BinTally, int, int]]:
    return ((tallies[at], first, past) for at, (first, past) in enumerate(position_bins(rows)))


def position_bins(rows: int) -> Iterator[tuple[int, int]]:
    """The positions [first, past) of each bin of EDGES that a response of so many positions reaches."""
    for at in range(bisect_right(EDGES, rows - 1)):
        yield EDGES[at], min(rows, EDGES[at + 1]) if at + 1 < len(EDGES) else rows


def _said(analysis: ResponseAnalysis) -> Iterator[tuple[bytes, int]]:
    """The bytes and the class of each position that has text of its own and a class."""
    for row in range(analysis.token_count):
        if analysis.classes[row] != ShiftClass.UNKNOWN:
            yield analysis.scored.piece(row), analysis.classes[row]


def _bin(tally: _BinTally, first: int, past: int | None) -> Bin:
    unshifted, marginal, shifted = (tally.classes[shift] for shift in CLASSES)
    mean = tally.kl / tally.with_kl if tally.with_kl else math.nan
    return Bin(first, past, unshifted + marginal + shifted, unshifted, marginal, shifted, tally.with_kl, mean)
