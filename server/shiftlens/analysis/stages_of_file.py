"""The responses of a file under several tuned models, those alone that all of them can be compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.stages import (
    StagesRow,
    StagesSummary,
    UnlikeStagesError,
    stages_rows,
    summarise_stages,
)


@dataclass(frozen=True, slots=True)
class NotCompared:
    """Why a response, by its index, is not compared: a message, and the stages, by theirs, that it is about."""

    index: int
    stages: tuple[int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class ResponseStages:
    """A response that is compared: its analysis in the first pair, what all pairs note of it, and its positions."""

    analysis: ResponseAnalysis
    notes: tuple[str, ...]
    rows: tuple[StagesRow, ...]
    summary: StagesSummary


@dataclass(frozen=True, slots=True)
class FileStages:
    """A file under several pairs of one base model. `analyses` has that of each pair."""

    analyses: tuple[Analysis, ...]
    min_change: float
    responses: tuple[ResponseStages, ...]
    not_compared: tuple[NotCompared, ...]
    summary: StagesSummary


def stages_of_file(
    analyses: Sequence[Analysis], refused: Sequence[Sequence[tuple[int, str]]], min_change: float
) -> FileStages:
    """Compare the responses that have scores in every pair. `refused`: those of each pair that have none."""
    stages = len(analyses)
    each = [{found.response.index: found for found in analysis.responses} for analysis in analyses]
    missing = [NotCompared(index, (stage,), message) for stage, found in enumerate(refused) for index, message in found]
    responses: list[ResponseStages] = []
    for index in sorted(set.intersection(*(set(found) for found in each))):
        pairs = [found[index] for found in each]
        try:
            rows = stages_rows(pairs, min_change)
        except UnlikeStagesError as error:
            missing.append(NotCompared(index, (error.stage,), error.why))
            continue
        notes = tuple(dict.fromkeys(note for pair in pairs for note in pair.notes))
        responses.append(ResponseStages(pairs[0], notes, rows, summarise_stages(rows, stages)))
    summary = summarise_stages((row for response in responses for row in response.rows), stages)
    return FileStages(tuple(analyses), min_change, tuple(responses), _joined(missing), summary)


def _joined(missing: Sequence[NotCompared]) -> tuple[NotCompared, ...]:
    """What is the same of several stages as one."""
    found: dict[tuple[int, str], list[int]] = {}
    for each in missing:
        found.setdefault((each.index, each.message), []).extend(each.stages)
    return tuple(NotCompared(index, tuple(stages), message) for (index, message), stages in sorted(found.items()))
