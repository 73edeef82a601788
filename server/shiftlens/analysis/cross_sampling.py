"""Did this token matter? What comes of it when another model's choice stands at a position, in numbers.

At a position, a token is put in place of what the response says, and a model goes on behind it. Four such arms are set
beside each other (`ARMS`); the idea of swapping few tokens between two models is that of arXiv 2603.22446. How far a
continuation parts from the response is measured behind the position, so that the swapped token itself does not count.
`docs/cross-sampling.md` defines the numbers and names their sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftlens.analysis.classify import ranks_of_response
from shiftlens.analysis.model import Analysis, ResponseAnalysis, ShiftClass
from shiftlens.analysis.parting import Parting, Spread, distance, spread
from shiftlens.analysis.tokens import base_logprobs, token
from shiftlens.scores.columns import Rank
from shiftlens.scores.records import SideScores


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to go on: `model` ("base" or "aligned") behind the token of `behind` ("base", "response" or "aligned")."""

    name: str
    model: str
    behind: str


ARMS = (
    Arm("swapped", "aligned", "base"),
    Arm("kept", "aligned", "response"),
    Arm("reverse", "base", "aligned"),
    Arm("base", "base", "base"),
)
"""The aligned model behind the base's choice, and behind the response's own token as the control; the base model behind
the aligned model's choice, and behind its own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A token that may stand at a position: an id of its model, its bytes, and whether it ends the response.

    `prob` is its probability under that model; not a number where it is not known.
    """

    id: int
    piece: bytes
    prob: float
    ends: bool


@dataclass(frozen=True, slots=True)
class SwapPosition:
    """A position at which the two models may swap tokens.

    `response` and `row` are its response in the file and its position there, both from 0; `start` and `end` its place
    in the file. `said` is the response's own token. `base_rank`, `base_prob` and `aligned_prob` are of that token.
    """

    response: int
    row: int
    start: int
    end: int
    shift: ShiftClass
    base_rank: Rank
    base_prob: float
    aligned_prob: float
    said: Choice
    base: Choice
    aligned: Choice

    def choice(self, behind: str) -> Choice:
        """The token of "base", "response" or "aligned"."""
        return {"base": self.base, "response": self.said, "aligned": self.aligned}[behind]

    @property
    def is_swap(self) -> bool:
        """Whether the base model would have said something else than the response."""
        return (self.base.ends, self.base.piece) != (self.said.ends, self.said.piece)


@dataclass(frozen=True, slots=True)
class Swap:
    """A token of an answer that is the other model's: its index, which the writer would have said instead, and the base
    model's rank of what the aligned model says there."""

    index: int
    replaced: bytes
    base_rank: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One continuation of an arm; greedy where the seed is None. `end` is that of its last token.

    Where several tokens were swapped in one go, `swaps` are these, and `from_rank` is the base rank from which on one
    was (0 where none was to be).
    """

    seed: int | None
    pieces: tuple[bytes, ...]
    end: str
    parting: Parting
    swaps: tuple[Swap, ...] = ()
    from_rank: int = 0

    @property
    def swapped(self) -> tuple[int, ...]:
        """The indices of the tokens that are the other model's."""
        return tuple(each.index for each in self.swaps)


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What came of an arm: its samples, the greedy one first."""

    arm: Arm
    samples: tuple[Sample, ...]

    @property
    def greedy(self) -> Sample:
        """The one that was not drawn."""
        return self.samples[0]

    def spread(self, number: Callable[[Parting], float]) -> Spread:
        """Of the drawn samples; of the greedy one where none was drawn."""
        return spread(number(sample.parting) for sample in self.samples[1:] or self.samples)


@dataclass(frozen=True, slots=True)
class CrossSampled:
    """All that came of one position. `said` is what the response says from it on, as far as it was compared."""

    position: SwapPosition
    said: tuple[bytes, ...]
    arms: tuple[ArmResult, ...]
    notes: tuple[str, ...] = ()

    def arm(self, name: str) -> ArmResult | None:
        """The arm of this name; None where it was left out."""
        return next((each for each in self.arms if each.arm.name == name), None)

    @property
    def effect(self) -> float:
        """The mean edit distance with the swap less that without it: what the one token changed beyond chance."""
        return effect_of(self.arms)


TOGETHER_ARMS = (
    Arm("swapped", "aligned", "base"),
    Arm("kept", "aligned", "aligned"),
    Arm("reverse", "base", "aligned"),
    Arm("base", "base", "base"),
)
"""The same where several tokens are swapped in one go: `behind` is whose choices stand where the two part."""


@dataclass(frozen=True, slots=True)
class SwappedTogether:
    """All that came of swapping up to `most` tokens of an answer in one go, in place of a response.

    `said` is what the response says, as far as it was compared.
    """

    response: int
    most: int
    said: tuple[bytes, ...]
    arms: tuple[ArmResult, ...]
    notes: tuple[str, ...] = ()

    @property
    def effect(self) -> float:
        """The mean edit distance with the swaps less that without them."""
        return effect_of(self.arms)


def effect_of(arms: Sequence[ArmResult]) -> float:
    """The mean edit distance of "swapped" less that of "kept"; not a number where one of them was left out."""
    means = {each.arm.name: each.spread(distance).mean for each in arms}
    return means.get("swapped", math.nan) - means.get("kept", math.nan)


def swap_position(analysis: ResponseAnalysis, row: int) -> SwapPosition | None:
    """What may be swapped at a position; None where it is not known what the two models would have said there.

    Raises IndexError.
    """
    found = token(analysis, row)
    if analysis.is_of_one_model or found.base is None or not found.base.top or not found.aligned.top:
        return None
    scored = analysis.pair_scores
    base, aligned = found.base.top[0], found.aligned.top[0]
    return SwapPosition(
        response=analysis.response.index,
        row=row,
        start=found.start,
        end=found.end,
        shift=found.shift,
        base_rank=found.base.rank,
        base_prob=math.exp(found.base.logprob),
        aligned_prob=math.exp(found.aligned.logprob),
        said=Choice(found.id, found.piece, math.exp(found.aligned.logprob), found.is_end),
        base=Choice(base.id, base.piece, base.prob, _ends(scored.base, base.id)),
        aligned=Choice(aligned.id, aligned.piece, aligned.prob, _ends(scored.aligned, aligned.id)),
    )


def most_shifted(analysis: Analysis, most: int) -> tuple[SwapPosition, ...]:
    """The shifted positions with the greatest base ranks, `most` at the most, the greatest first.

    Left out are those where the base model's choice is not known, or is what the response says. Of equal ranks the one
    that the base model holds less likely comes first, then the earlier one.
    """
    ordered: list[tuple[int, float, int, int]] = []
    for place, found in enumerate(analysis.responses):
        if found.is_of_one_model:
            continue
        ranks, likelihoods = ranks_of_response(found.pair_scores), base_logprobs(found.pair_scores)
        for row, shift in enumerate(found.classes):
            if shift == ShiftClass.SHIFTED:
                likely = likelihoods[row]
                ordered.append((-abs(ranks[row]), likely if math.isfinite(likely) else 0.0, place, row))
    chosen: list[SwapPosition] = []
    for *_, place, row in sorted(ordered):
        if len(chosen) >= most:
            break
        position = swap_position(analysis.responses[place], row)
        if position is not None and position.is_swap:
            chosen.append(position)
    return tuple(chosen)


def _ends(side: SideScores, choice: int) -> bool:
    """Whether a model's choice ends its response. A line break that only may be the first of what closes does not."""
    return choice == side.end_id and not side.pieces.get(choice, b"").isspace()
