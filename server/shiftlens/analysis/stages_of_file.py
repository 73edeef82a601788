"""The responses of a file under several tuned models, those alone that all of them can be compared on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.stages import (
    StagesRow,
    StagesSummary,
    UnlikeStagesError,
    combine_stages,
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
    responses: list[ResponseStages] = []
    missing: list[NotCompared] = []
    for found in each_compared(analyses, refused, min_change):
        if isinstance(found, ResponseStages):
            responses.append(found)
        else:
            missing.append(found)
    summary = combine_stages((response.summary for response in responses), len(analyses))
    return FileStages(tuple(analyses), min_change, tuple(responses), tuple(missing), summary)


def each_compared(
    analyses: Sequence[Analysis], refused: Sequence[Sequence[tuple[int, str]]], min_change: float
) -> Iterator[ResponseStages | NotCompared]:
    """As `stages_of_file`, a response at a time in the order of the file; its analyses are asked for only then."""
    why = [dict(found) for found in refused]
    left = [iter(analysis.responses) for analysis in analyses]
    heads = [next(each, None) for each in left]
    for response in analyses[0].transcript.responses:
        index = response.index
        pairs = [head for head in heads if head is not None and head.response.index == index]
        heads = [
            next(each, None) if head is not None and head.response.index == index else head
            for each, head in zip(left, heads, strict=True)
        ]
        yield from _joined(index, why)
        if len(pairs) == len(analyses):
            yield _compared(pairs, min_change)


def _compared(pairs: Sequence[ResponseAnalysis], min_change: float) -> ResponseStages | NotCompared:
    try:
        rows = stages_rows(pairs, min_change)
    except UnlikeStagesError as error:
        return NotCompared(pairs[0].response.index, (error.stage,), error.why)
    notes = tuple(dict.fromkeys(note for pair in pairs for note in pair.notes))
    return ResponseStages(pairs[0], notes, rows, summarise_stages(rows, len(pairs)))


def _joined(index: int, why: Sequence[Mapping[int, str]]) -> Iterator[NotCompared]:
    """Why stages have no scores of a response; what is the same of several stages as one."""
    found: dict[str, list[int]] = {}
    for stage, messages in enumerate(why):
        if index in messages:
            found.setdefault(messages[index], []).append(stage)
    yield from (NotCompared(index, tuple(stages), message) for message, stages in sorted(found.items()))
