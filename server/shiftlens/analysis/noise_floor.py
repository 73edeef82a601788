"""Which shifts are no larger than rounding: the aligned model against itself in other numbers, beside the real pair.

The aligned model is scored twice on what it is given, as it runs for the pair and in another dtype or quantisation, and
how far its logprobs move is the noise. The noise floor of a file is the smallest value that QUANTILE of all its
positions do not exceed, for the logprob of the token and for the KL each by itself. A position lies within the floor
where the real pair's logprobs of the token differ by no more than the floor, or than the noise at this very position if
that is larger, and the same holds for the KL.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.tokens import base_logprobs, kl_of_positions
from shiftlens.options.pair import INT8, NOISE_DTYPES
from shiftlens.scores.columns import float32
from shiftlens.scores.records import ScoredResponse

QUANTILE = 0.95
"""The part of all positions whose noise is at most the floor."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How far apart two models are at a position: |logprob - logprob| of its token, and the KL, in nats.

    What is not known is not a number.
    """

    logprob: float
    kl: float


@dataclass(frozen=True, slots=True)
class NoisePosition:
    """A position with its noise (`noise`) and what the real pair differs by (`real`).

    `within` tells whether it lies within the floor; None where that can't be told. `start`, `end` are code-point
    offsets into the file's text.
    """

    index: int
    piece: bytes
    start: int
    end: int
    is_end: bool
    shift: ShiftClass
    noise: Moved
    real: Moved
    within: bool | None


@dataclass(frozen=True, slots=True)
class Inside:
    """How many positions of a class there are, how many lie within the floor, and of how many that is not known."""

    positions: int
    within: int
    unknown: int

    @property
    def beyond(self) -> int:
        """How many are known to lie beyond the floor."""
        return self.positions - self.within - self.unknown


@dataclass(frozen=True, slots=True)
class ResponseNoise:
    """A response: its analysis in the real pair, each position's noise, and the notes on both scorings."""

    analysis: ResponseAnalysis
    positions: tuple[NoisePosition, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileNoise:
    """The floor of a file over so many positions, and its responses.

    `dtypes` has the real pair's, and what the noise is measured against: another one, INT8 or the name of a file.
    `not_measured` are the responses without numbers in both (index, message).
    """

    floor: Moved
    measured: int
    dtypes: tuple[str, str]
    responses: tuple[ResponseNoise, ...]
    not_measured: tuple[tuple[int, str], ...]

    def of_class(self, shift: ShiftClass) -> Inside:
        """The positions of a class, in all responses."""
        return inside((each for response in self.responses for each in response.positions), shift)


def inside(positions: Iterable[NoisePosition], shift: ShiftClass) -> Inside:
    """Count the positions of a class."""
    own = [each.within for each in positions if each.shift is shift]
    return Inside(len(own), own.count(True), own.count(None))


def noise_of_file(
    real: Sequence[ResponseAnalysis],
    against_itself: Sequence[ResponseAnalysis],
    dtypes: tuple[str, str],
    refused: Sequence[tuple[int, str]] = (),
) -> FileNoise:
    """The noise floor of a file. `real` are its analyses under the pair, `against_itself` those of the aligned model
    beside itself in the other numbers; `refused` are responses without scores of either.
    """
    own = {found.response.index: found for found in against_itself}
    both: list[tuple[ResponseAnalysis, ResponseAnalysis, list[Moved]]] = []
    missing = dict(refused)
    for found in real:
        noise = own.get(found.response.index)
        if noise is None:
            continue
        why_not = _why_not(found, noise)
        if why_not:
            missing[found.response.index] = why_not
        else:
            both.append((found, noise, moved(noise.pair_scores)))
    every = [each for *_, column in both for each in column]
    floor = Moved(quantile(each.logprob for each in every), quantile(each.kl for each in every))
    return FileNoise(
        floor=floor,
        measured=sum(not math.isnan(each.logprob) for each in every),
        dtypes=dtypes,
        responses=tuple(
            ResponseNoise(found, _positions(found, column, floor), tuple(dict.fromkeys((*found.notes, *noise.notes))))
            for found, noise, column in both
        ),
        not_measured=tuple(sorted(missing.items())),
    )


def as_what(other: str) -> str:
    """How the aligned model is scored a second time, in words behind its name."""
    if other == INT8:
        return f"with its weights rounded to {INT8}"
    return f"in {other}" if other in NOISE_DTYPES else f"as it is in {other}"


def moved(scored: ScoredResponse) -> list[Moved]:
    """How far apart the two models of a pair are at each position."""
    both = zip(float32(scored.aligned.logprob), base_logprobs(scored), kl_of_positions(scored), strict=True)
    return [Moved(abs(aligned - base), abs(kl)) for aligned, base, kl in both]


def is_within(real: Moved, noise: Moved, floor: Moved) -> bool | None:
    """Whether what a pair differs by at a position may be rounding; None where it is not known.

    A KL that is not known (of two vocabularies) is left out.
    """
    most = max(floor.logprob, noise.logprob) if not math.isnan(noise.logprob) else floor.logprob
    if math.isnan(real.logprob) or math.isnan(most):
        return None
    if real.logprob > most:
        return False
    most_kl = max(floor.kl, noise.kl) if not math.isnan(noise.kl) else floor.kl
    return math.isnan(real.kl) or math.isnan(most_kl) or real.kl <= most_kl


def quantile(values: Iterable[float], part: float = QUANTILE) -> float:
    """The smallest of the values that at least `part` of them do not exceed; not a number where there are none."""
    known = sorted(value for value in values if not math.isnan(value))
    return known[max(0, math.ceil(part * len(known)) - 1)] if known else math.nan


def without_noise(response: ResponseNoise) -> ResponseAnalysis:
    """The analysis in which marginal and shifted positions within the floor have no class."""
    classes = bytearray(response.analysis.classes)
    for each in response.positions:
        if each.within and each.shift is not ShiftClass.UNSHIFTED:
            classes[each.index] = ShiftClass.UNKNOWN
    return replace(response.analysis, classes=bytes(classes))


def _why_not(real: ResponseAnalysis, noise: ResponseAnalysis) -> str:
    """Why the noise of a response can't be had of these two, in a sentence; "" where it can."""
    scored = noise.pair_scores
    if scored.aligned.ids != real.scored.aligned.ids or scored.comparison.alignment is not None:
        return "Its tokens were not the same in the two scorings."
    if scored.base.prefix_ids != scored.aligned.prefix_ids:
        return "What stands before it was not given alike in the two scorings: the files have two chat templates."
    return ""


def _positions(found: ResponseAnalysis, noise: Sequence[Moved], floor: Moved) -> tuple[NoisePosition, ...]:
    last = found.scored.rows - 1
    return tuple(
        NoisePosition(
            index=row,
            piece=found.scored.piece(row),
            start=found.starts[row],
            end=found.ends[row],
            is_end=found.has_end and row == last,
            shift=ShiftClass(found.classes[row]),
            noise=noise[row],
            real=real,
            within=is_within(real, noise[row], floor),
        )
        for row, real in enumerate(moved(found.pair_scores))
    )
