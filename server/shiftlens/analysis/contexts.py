"""A file under several base contexts: the shares under each, and the positions whose class is not the same in all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.analysis.classify import combine, ranks_of_response
from shiftlens.analysis.model import Analysis, ResponseAnalysis, ShiftClass, Summary
from shiftlens.analysis.tokens import base_logprobs, kl_of_positions
from shiftlens.scores.columns import Rank, rank_of

OTHER_TOKENS = (
    "Its tokens, or those of its base model, are not the same under all of these contexts, so that there are no"
    " positions to compare."
)


@dataclass(frozen=True, slots=True)
class Given:
    """What the base model gave for a position's token under one context; `prob` and `kl` are not numbers where unknown.

    `kl` is KL(aligned || base) in nats, `boundary` as in `Token`.
    """

    rank: Rank
    prob: float
    kl: float
    shift: ShiftClass
    boundary: bool


@dataclass(frozen=True, slots=True)
class ContextsRow:
    """A position under each context, in their order. `start`, `end` are code-point offsets into the file's text."""

    index: int
    piece: bytes
    start: int
    end: int
    is_end: bool
    given: tuple[Given, ...]

    @property
    def changes(self) -> bool:
        """Whether the position has another class under one context than under another; unknown ones don't count."""
        return len({each.shift for each in self.given} - {ShiftClass.UNKNOWN}) > 1


@dataclass(frozen=True, slots=True)
class ResponseContexts:
    """A response under each context: its positions, and of each context the summary and the notes."""

    analysis: ResponseAnalysis
    rows: tuple[ContextsRow, ...]
    summaries: tuple[Summary, ...]
    notes: tuple[tuple[str, ...], ...]

    @property
    def changed(self) -> tuple[ContextsRow, ...]:
        """The positions whose class changes."""
        return tuple(row for row in self.rows if row.changes)


@dataclass(frozen=True, slots=True)
class FileContexts:
    """A file under several base contexts, by the names that the user gave them.

    `not_compared` has the responses without positions to compare: the index, the contexts, by their places, that it is
    because of, and why.
    """

    names: tuple[str, ...]
    analyses: tuple[Analysis, ...]
    responses: tuple[ResponseContexts, ...]
    summaries: tuple[Summary, ...]
    not_compared: tuple[tuple[int, tuple[int, ...], str], ...]


def contexts_of_file(
    names: Sequence[str], analyses: Sequence[Analysis], refused: Sequence[Sequence[tuple[int, str]]]
) -> FileContexts:
    """Compare the responses that have scores under each context. `refused`: those of each context that have none."""
    each = [{found.response.index: found for found in analysis.responses} for analysis in analyses]
    missing: dict[tuple[int, str], list[int]] = {}
    for number, found in enumerate(refused):
        for index, message in found:
            missing.setdefault((index, message), []).append(number)
    responses: list[ResponseContexts] = []
    for index in sorted(set.intersection(*(set(found) for found in each))):
        compared = contexts_of([found[index] for found in each])
        if compared is None:
            missing.setdefault((index, OTHER_TOKENS), []).extend(range(len(names)))
        else:
            responses.append(compared)
    return FileContexts(
        names=tuple(names),
        analyses=tuple(analyses),
        responses=tuple(responses),
        summaries=tuple(
            combine(response.summaries[number] for response in responses) for number in range(len(analyses))
        ),
        not_compared=tuple((index, tuple(those), message) for (index, message), those in sorted(missing.items())),
    )


def contexts_of(analyses: Sequence[ResponseAnalysis]) -> ResponseContexts | None:
    """One response under each context; None where its tokens are not the same under all."""
    first = analyses[0]
    if any(not _same_rows(first, other) for other in analyses[1:]):
        return None
    columns = [_column(analysis) for analysis in analyses]
    return ResponseContexts(
        analysis=first,
        rows=tuple(
            ContextsRow(
                index=row,
                piece=first.scored.piece(row),
                start=first.starts[row],
                end=first.ends[row],
                is_end=first.has_end and row == first.scored.rows - 1,
                given=tuple(column[row] for column in columns),
            )
            for row in range(first.scored.rows)
        ),
        summaries=tuple(analysis.summary for analysis in analyses),
        notes=tuple(analysis.notes for analysis in analyses),
    )


def _same_rows(first: ResponseAnalysis, other: ResponseAnalysis) -> bool:
    one, two = first.scored, other.scored
    return one.aligned.byte_ends == two.aligned.byte_ends and one.aligned.ids == two.aligned.ids


def _column(analysis: ResponseAnalysis) -> list[Given]:
    scored = analysis.pair_scores
    columns = (ranks_of_response(scored), base_logprobs(scored), kl_of_positions(scored))
    return [
        Given(
            rank=rank_of(rank),
            prob=math.exp(logprob),
            kl=kl,
            shift=ShiftClass(analysis.classes[row]),
            boundary=bool(scored.comparison.boundary[row]),
        )
        for row, (rank, logprob, kl) in enumerate(zip(*columns, strict=True))
    ]
