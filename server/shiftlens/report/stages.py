"""What a report shows of several tuned models, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.analysis.stages_of_file import FileStages
from shiftlens.report.text.stages import moved_head, moved_rows, moved_words


@dataclass(frozen=True, slots=True)
class StagesOfResponse:
    """How much of a response each stage was the first to move, in words, and a row for each position that any moved."""

    words: str
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StagesSection:
    """The stages of a file by their names, and its responses by their index. `words` are on all of them."""

    names: tuple[str, ...]
    words: str
    head: tuple[str, ...]
    min_change: float
    responses: dict[int, StagesOfResponse]

    @classmethod
    def of(cls, found: FileStages) -> StagesSection:
        names = tuple(analysis.pair.aligned for analysis in found.analyses)
        return cls(
            names=names,
            words=moved_words(found.summary),
            head=moved_head(len(names)),
            min_change=found.min_change,
            responses={
                each.analysis.response.index: StagesOfResponse(moved_words(each.summary), moved_rows(each.rows))
                for each in found.responses
            },
        )
