"""Runs: where shifted tokens stand close together. This module alone says what a run is.

A run is a longest sequence of positions of one part of a response that begins and ends with a shifted position and in
which each shifted position is at most MOST_APART positions after the one before: at most MOST_APART - 1 others stand
between two of them. So every shifted token is in exactly one run, one that stands alone is a run by itself, and at
least a third of a run is shifted. The end of the response has no place in the file and is in no run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shiftlens.analysis.highlights import span_of
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass

MOST_APART = 3
"""The largest distance, in positions, between two shifted ones that follow each other in a run."""


@dataclass(frozen=True, slots=True)
class Run:
    """The positions [first, end) of a response, `shifted` of which are. `source_start`, `source_end`: in the file."""

    first: int
    end: int
    shifted: int
    source_start: int
    source_end: int

    @property
    def tokens(self) -> int:
        """Number of positions."""
        return self.end - self.first

    @property
    def density(self) -> float:
        """Shifted positions times their share: of equally many the closer ones count for more, a long run for more than
        a lone token."""
        return self.shifted * self.shifted / self.tokens

    def words_in(self, analysis: ResponseAnalysis) -> str:
        """How many tokens, and how many of them are shifted."""
        label = analysis.label_of(ShiftClass.SHIFTED)
        return f"{self.tokens:,} token{'' if self.tokens == 1 else 's'}, {self.shifted:,} {label}"


def runs(analysis: ResponseAnalysis) -> tuple[Run, ...]:
    """The runs of a response, in the order in which the model wrote it; of the positions that have scores.

    Positions whose tokens have no text are counted in a run, but do not make one.
    """
    return tuple(run for run in _runs(analysis) if run.source_start < run.source_end)


def densest(found: Iterable[Run]) -> Run | None:
    """The run of the greatest density, the first of equal ones; None where there are none."""
    return max(found, key=lambda run: run.density, default=None)


def _runs(analysis: ResponseAnalysis) -> Iterator[Run]:
    for part in analysis.parts:
        first = last = -1
        shifted = 0
        for position in _shifted(analysis.classes, part.first, min(part.end, analysis.token_count)):
            if shifted and position - last > MOST_APART:
                yield Run(first, last + 1, shifted, *span_of(analysis, first, last + 1))
                shifted = 0
            first = first if shifted else position
            last = position
            shifted += 1
        if shifted:
            yield Run(first, last + 1, shifted, *span_of(analysis, first, last + 1))


def _shifted(classes: bytes, first: int, end: int) -> Iterator[int]:
    at = classes.find(ShiftClass.SHIFTED, first, end)
    while at >= 0:
        yield at
        at = classes.find(ShiftClass.SHIFTED, at + 1, end)
