"""Many responses together: shares by position, turn, file and pair, the curve of KL, tokens by shift ratio."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from shiftlens.analysis.classify import Shares, combine, shares
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
    none has. `mean_js` is that of a lower bound of the Jensen-Shannon divergence (see `divergence.js_between`),
    `mean_difference` that of the aligned model's logprob of the token less the base model's.
    """

    first: int
    past: int | None
    tokens: int
    unshifted: int
    marginal: int
    shifted: int
    with_kl: int
    mean_kl: float
    with_js: int = 0
    mean_js: float = math.nan
    with_difference: int = 0
    mean_difference: float = math.nan

    @property
    def shares(self) -> Shares:
        """Those of the positions that have a class."""
        return shares(Summary(self.tokens, self.unshifted, self.marginal, self.shifted))


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


@dataclass(frozen=True, slots=True)
class Counted:
    """What a corpus's summary takes of one response. n is the number of its positions.

    - pair: the names of base and aligned model; turn: its number in the conversation, from 0.
    - classes: uint8 [n], values of `ShiftClass`.
    - kl, js, difference: [n], as in `Bin`, in nats, not a number where not known; the last two may be empty.
    - said: the bytes and the class of each position that has text of its own and a class.
    """

    file: str
    pair: tuple[str, str]
    turn: int
    summary: Summary
    classes: bytes
    kl: Sequence[float]
    js: Sequence[float]
    said: Iterable[tuple[bytes, int]]
    difference: Sequence[float] = ()


@dataclass(slots=True)
class _Mean:
    """The mean of those numbers so far that are known."""

    total: float = 0.0
    count: int = 0

    def add(self, numbers: Iterable[float]) -> None:
        known = list(filter(math.isfinite, numbers))
        self.total += math.fsum(known)
        self.count += len(known)

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else math.nan


@dataclass(slots=True)
class _BinTally:
    """Counts of a bin so far, by class, and its means."""

    classes: Counter[int] = field(default_factory=Counter)
    kl: _Mean = field(default_factory=_Mean)
    js: _Mean = field(default_factory=_Mean)
    difference: _Mean = field(default_factory=_Mean)

    def add(self, counted: Counted, first: int, past: int) -> None:
        """Count the positions [first, past) of a response."""
        self.classes.update(counted.classes[first:past])
        self.kl.add(counted.kl[first:past])
        self.js.add(counted.js[first:past])
        self.difference.add(counted.difference[first:past])


class CorpusTally:
    """Puts responses together one by one: memory grows with the number of files and of different tokens alone."""

    def __init__(self) -> None:
        self._whole = Summary(0, 0, 0, 0)
        self._tenths = [_BinTally() for _ in range(TENTHS)]
        self._bins = [_BinTally() for _ in EDGES]
        self._turns: dict[int, Summary] = {}
        self._files: dict[str, Summary] = {}
        self._pairs: dict[tuple[str, str], Summary] = {}
        self._said: Counter[bytes] = Counter()
        self._shifted: Counter[bytes] = Counter()

    def add(self, counted: Counted) -> None:
        """Count one more response."""
        self._whole = combine((self._whole, counted.summary))
        _add(self._turns, counted.turn, counted.summary)
        _add(self._files, counted.file, counted.summary)
        _add(self._pairs, counted.pair, counted.summary)
        rows = len(counted.classes)
        for tally, first, past in (*_tenths_of(rows, self._tenths), *_bins_of(rows, self._bins)):
            tally.add(counted, first, past)
        for piece, shift in counted.said:
            self._said[piece] += 1
            self._shifted[piece] += shift == ShiftClass.SHIFTED

    def summary(self) -> CorpusSummary:
        """What all of them are together."""
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


def counted(
    file: str,
    pair: PairSpec,
    analysis: ResponseAnalysis,
    js: Sequence[float] = (),
    difference: Sequence[float] = (),
) -> Counted:
    """What is counted of a response of a file under a pair; `js` and `difference` as in `Counted`."""
    return Counted(
        file=file,
        pair=(pair.base, pair.aligned),
        turn=analysis.response.turn_index,
        summary=analysis.summary,
        classes=analysis.classes,
        kl=kl_of_positions(analysis.scored),
        js=js,
        difference=difference,
        said=_said(analysis),
    )


def _add(found: dict[K, Summary], key: K, summary: Summary) -> None:
    found[key] = combine((found[key], summary)) if key in found else summary


def _tenths_of(rows: int, tallies: Sequence[_BinTally]) -> Iterator[tuple[_BinTally, int, int]]:
    return ((tally, *edges) for tally, edges in zip(tallies, itertools.pairwise(tenth_edges(rows)), strict=True))


def _bins_of(rows: int, tallies: Sequence[_BinTally]) -> Iterator[tuple[_BinTally, int, int]]:
    for at in range(bisect_right(EDGES, rows - 1)):
        yield tallies[at], EDGES[at], min(rows, EDGES[at + 1]) if at + 1 < len(EDGES) else rows


def _said(analysis: ResponseAnalysis) -> Iterator[tuple[bytes, int]]:
    """The bytes and the class of each position that has text of its own and a class."""
    for row in range(analysis.token_count):
        if analysis.classes[row] != ShiftClass.UNKNOWN:
            yield analysis.scored.piece(row), analysis.classes[row]


def _bin(tally: _BinTally, first: int, past: int | None) -> Bin:
    unshifted, marginal, shifted = (tally.classes[shift] for shift in CLASSES)
    return Bin(
        first=first,
        past=past,
        tokens=unshifted + marginal + shifted,
        unshifted=unshifted,
        marginal=marginal,
        shifted=shifted,
        with_kl=tally.kl.count,
        mean_kl=tally.kl.value,
        with_js=tally.js.count,
        mean_js=tally.js.value,
        with_difference=tally.difference.count,
        mean_difference=tally.difference.value,
    )
