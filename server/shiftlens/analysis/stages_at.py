"""Several tuned models at one position of a response, beside the pair that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.analysis.stages import Given, base_given, first_moved, given_at, is_moved, why_unlike
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.scores.records import ScoredResponse

NOT_YET = "Not scored yet."


@dataclass(frozen=True, slots=True)
class StageScores:
    """What is known of a response under one stage. `why_not`: why there are no scores, or why they don't compare."""

    model: str
    scores: ScoredResponse | None = None
    why_not: str = ""

    @property
    def compared(self) -> ScoredResponse | None:
        """The scores, where they can be laid beside those of the pair."""
        return None if self.why_not else self.scores


@dataclass(frozen=True, slots=True)
class StageAt:
    """What one stage gave at a position, or in `why_not` why that is not known. `moved` is None where it can't be told.

    `notes` are what a reader should know of the response under this stage that is not so in the pair.
    """

    model: str
    given: Given | None
    moved: bool | None
    why_not: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StagesAt:
    """A position under each stage. `first` is the index of the stage that moved it; None where none did, and where that
    can't be told, in which case `is_known` is False."""

    stages: tuple[StageAt, ...]
    first: int | None
    is_known: bool

    def sentence(self) -> str:
        """Which stage moved the position first. Stages are counted from 1."""
        if self.first is not None:
            return f"First moved by stage {self.first + 1}."
        if self.is_known:
            return "Moved by no stage."
        at = next(number for number, stage in enumerate(self.stages, start=1) if stage.moved is None)
        return f"Which stage was the first to move it can't be told, since it can't be of stage {at}."


def compared(pair: ScoredResponse, model: str, scores: ScoredResponse) -> StageScores:
    """The scores of a stage beside those of the pair that is shown, which have the same base model."""
    return StageScores(model, scores, why_unlike(pair, scores, "the aligned model"))


def stages_at(
    pair: ScoredResponse, stages: Sequence[StageScores], row: int, min_change: float = DEFAULT_MIN_CHANGE
) -> StagesAt:
    """A position of `pair` under each stage. Constant time in the length of the response.

    What moves a position is said in `analysis.stages`; the base model's numbers are those in `pair`.
    """
    base, by_bytes = base_given(pair, row), pair.comparison.alignment is not None
    found: list[StageAt] = []
    for stage in stages:
        if stage.compared is None:
            found.append(StageAt(stage.model, None, None, stage.why_not or NOT_YET))
        else:
            given = given_at(stage.compared.aligned, row)
            moved = is_moved(base, given, min_change, by_bytes=by_bytes)
            notes = tuple(note for note in stage.compared.notes if note not in pair.notes)
            found.append(StageAt(stage.model, given, moved, notes=notes))
    first, is_known = first_moved([stage.moved for stage in found])
    return StagesAt(tuple(found), first, is_known)
