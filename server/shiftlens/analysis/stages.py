"""Several tuned models of one base model (SFT, DPO, RL; checkpoints; adapters): the first stage that moved a position.

A stage moves a position where, compared with the base model,

- its first choice is another token (each model's own end of the response counts as one token), or
- its probability of the response's token differs by more than `min_change`.

Each stage is compared with the base model and not with the stage before it, so that what drifts in small steps is not
missed, and a stage that comes after has no part in what is said of an earlier one. The stage that moved a position is
the first one that does. Where that can't be told of a stage, it can't be told of those after it either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shiftlens.analysis.model import Candidate, ResponseAnalysis, ShiftClass
from shiftlens.analysis.tokens import base_side
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.scores.columns import Rank, float32, int32, rank_of
from shiftlens.scores.records import AnyScores, ScoredResponse, SideScores


class UnlikeStagesError(ValueError):
    """Analyses that can't be laid beside each other.

    `stage` is the index of the first one that does not fit, and `why` says in sentences what differs.
    """

    def __init__(self, stage: int, why: str) -> None:
        super().__init__(why)
        self.stage, self.why = stage, why


@dataclass(frozen=True, slots=True)
class Given:
    """What one model gave at a position.

    `rank` and `prob` are of the response's token, `choice` is the model's most likely token (None where not known) and
    `ends` says that it ends the response. `prob` is not a number where it is not known.
    """

    rank: Rank
    prob: float
    choice: Candidate | None
    ends: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """What the aligned model of one stage gave at a position, and the class of the position in the pair with it.

    `moved` is None where it can't be told.
    """

    given: Given
    shift: ShiftClass
    moved: bool | None


@dataclass(frozen=True, slots=True)
class StagesRow:
    """A position under the base model and each stage.

    `start` and `end` are code-point offsets into the file's text. `first` is the index of the stage that moved the
    position; None where none did, and where that can't be told, in which case `is_known` is False.
    """

    index: int
    piece: bytes
    start: int
    end: int
    is_end: bool
    base: Given
    stages: tuple[Stage, ...]
    first: int | None
    is_known: bool


@dataclass(frozen=True, slots=True)
class StagesSummary:
    """How many positions each stage moved first, and how many none did; of `unknown` ones it can't be told.

    These add up to `positions`.
    """

    positions: int
    moved_by: tuple[int, ...]
    unmoved: int
    unknown: int

    @property
    def shares(self) -> tuple[float, ...]:
        """The part of the positions that are known which each stage moved first, from 0 to 1; 0 where none is known."""
        known = self.positions - self.unknown
        return tuple(count / known if known else 0.0 for count in self.moved_by)


def stages_rows(analyses: Sequence[ResponseAnalysis], min_change: float = DEFAULT_MIN_CHANGE) -> tuple[StagesRow, ...]:
    """The rows of one response under one base model and several aligned ones, of which `analyses` has each pair's.

    Raises UnlikeStagesError where the aligned models do not read the response as the same tokens, or where the base
    model was not given the same in each pair; ValueError without analyses.
    """
    if not analyses:
        raise ValueError("no analyses")
    scores = [_of_pair(analysis.scored) for analysis in analyses]
    for number, scored in enumerate(scores[1:], start=1):
        if why := why_unlike(scores[0], scored, "the first stage"):
            raise UnlikeStagesError(number, why)
    first = analyses[0]
    by_bytes = scores[0].comparison.alignment is not None
    found = []
    for row in range(first.scored.rows):
        base = base_given(scores[0], row)
        each = [(given_at(analysis.scored.aligned, row), ShiftClass(analysis.classes[row])) for analysis in analyses]
        stages = tuple(
            Stage(given, shift, is_moved(base, given, min_change, by_bytes=by_bytes)) for given, shift in each
        )
        moved_by, is_known = first_moved([stage.moved for stage in stages])
        found.append(
            StagesRow(
                index=row,
                piece=first.scored.piece(row),
                start=first.starts[row],
                end=first.ends[row],
                is_end=first.has_end and row == first.scored.rows - 1,
                base=base,
                stages=stages,
                first=moved_by,
                is_known=is_known,
            )
        )
    return tuple(found)


def first_moved(moved: Sequence[bool | None]) -> tuple[int | None, bool]:
    """The index of the first stage that moved a position (None where none did), and whether that can be told."""
    for number, value in enumerate(moved):
        if value is None:
            return None, False
        if value:
            return number, True
    return None, True


def summarise_stages(rows: Iterable[StagesRow], stages: int) -> StagesSummary:
    """Count rows, of one response or several, by the stage that moved them; there are so many stages."""
    counts = [0] * stages
    positions = unmoved = unknown = 0
    for row in rows:
        positions += 1
        if not row.is_known:
            unknown += 1
        elif row.first is None:
            unmoved += 1
        else:
            counts[row.first] += 1
    return StagesSummary(positions, tuple(counts), unmoved, unknown)


def combine_stages(summaries: Iterable[StagesSummary], stages: int) -> StagesSummary:
    """The summary of all their positions together, of so many stages."""
    positions = unmoved = unknown = 0
    moved_by = [0] * stages
    for each in summaries:
        positions, unmoved, unknown = positions + each.positions, unmoved + each.unmoved, unknown + each.unknown
        moved_by = [own + its for own, its in zip(moved_by, each.moved_by, strict=True)]
    return StagesSummary(positions, tuple(moved_by), unmoved, unknown)


def _of_pair(scored: AnyScores) -> ScoredResponse:
    if not isinstance(scored, ScoredResponse):
        raise ValueError("scores of one model alone have no stages")
    return scored


def why_unlike(first: ScoredResponse, other: ScoredResponse, than: str) -> str:
    """Why the scores of one response in two pairs can't be laid beside each other; "" where they can.

    `than` is what the aligned model of `first` is called.
    """
    if not _same_tokens(first.aligned, other.aligned):
        return (
            f"Its tokenizer, or its chat template, cuts the response into other tokens than {than}'s does, so"
            " that there are no positions to compare."
        )
    if not _same_tokens(first.base, other.base) or first.base.prefix_ids != other.base.prefix_ids:
        return (
            f"The base model was given another text before the response than beside {than} (with the base"
            " context `chat` it is given what the aligned model's template makes), so that they have no base in common."
            " Choose another base context."
        )
    if first.base.model.fingerprint != other.base.model.fingerprint:
        return "The files of the base model changed between the two."
    return ""


def _same_tokens(first: SideScores, other: SideScores) -> bool:
    """Whether two sides have the same rows, though each may end in its own way."""
    if first.byte_ends != other.byte_ends or first.parts != other.parts:
        return False
    both = zip(int32(first.ids), int32(other.ids), strict=True)
    return all(
        (a == b and first.pieces.get(a) == other.pieces.get(b)) or (a == first.end_id and b == other.end_id)
        for a, b in both
    )


def given_at(side: SideScores, row: int) -> Given:
    """What one model gave at a position of its own tokens."""
    rank, logprob = int32(side.rank)[row], float32(side.logprob)[row]
    return Given(rank_of(rank), math.exp(logprob), _choice(side, row), _ends(side, row))


def base_given(scored: ScoredResponse, row: int) -> Given:
    """What the base model gave at a position of the aligned model. Of one that is not one token of its own, only a rank
    is known."""
    alignment = scored.comparison.alignment
    if alignment is None:
        return given_at(scored.base, row)
    if alignment.is_one_to_one(row):
        return given_at(scored.base, alignment.base_rows(row).start)
    return Given(base_side(scored, row).rank, math.nan, None, ends=False)


def _choice(side: SideScores, row: int) -> Candidate | None:
    top = int32(side.top_ids)[row * side.k] if side.k else -1
    if top < 0:
        return None
    return Candidate(top, side.pieces.get(top, b""), math.exp(float32(side.top_logprobs)[row * side.k]))


def _ends(side: SideScores, row: int) -> bool:
    return bool(side.k) and int32(side.top_ids)[row * side.k] == side.end_id


def is_moved(base: Given, stage: Given, min_change: float, *, by_bytes: bool) -> bool | None:
    """Whether a stage moved a position; None where that can't be told. `by_bytes`: the base has another vocabulary."""
    other = _is_other(base, stage, by_bytes=by_bytes)
    change = abs(stage.prob - base.prob)
    if other or change > min_change:
        return True
    return None if other is None or math.isnan(change) else False


def _is_other(base: Given, stage: Given, *, by_bytes: bool) -> bool | None:
    """Whether two models' first choices are not one token; None where one of them is not known."""
    if base.choice is None or stage.choice is None:
        return None
    if base.ends or stage.ends:
        return base.ends != stage.ends
    if by_bytes:
        return base.choice.piece != stage.choice.piece
    return base.choice.id != stage.choice.id
