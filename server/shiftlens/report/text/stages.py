"""Several tuned models of one base in words: how much each was the first to move, and the positions that any moved."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.analysis.facts import probability
from shiftlens.analysis.ranks import rank_words
from shiftlens.analysis.stages import Given, StagesRow, StagesSummary
from shiftlens.analysis.stages_of_file import FileStages, NotCompared
from shiftlens.analysis.words import positions_words
from shiftlens.text.visible import visible_piece

_LONGEST_TOKEN = 20


def moved_words(summary: StagesSummary) -> str:
    """How many positions each stage was the first to move, and how many none did."""
    known = summary.positions - summary.unknown
    parts = [
        f"stage {number}: {count:,} ({100 * share:.1f}%)"
        for number, (count, share) in enumerate(zip(summary.moved_by, summary.shares, strict=True), start=1)
    ]
    none = 100 * summary.unmoved / known if known else 0.0
    unknown = f"; unknown of {summary.unknown:,}" if summary.unknown else ""
    said = ", ".join([*parts, f"no stage: {summary.unmoved:,} ({none:.1f}%)"])
    return f"{positions_words(summary.positions)}; first moved by {said}{unknown}"


def gap_words(gap: NotCompared, names: Sequence[str]) -> str:
    """Why a response is not compared. `names` are those of all stages."""
    because = ", ".join(names[stage] for stage in gap.stages)
    return f"Stages are not compared in response {gap.index + 1}, because of {because}: {gap.message}"


def gaps_words(found: FileStages) -> tuple[str, ...]:
    """Why responses of a file are not compared."""
    names = [analysis.pair.aligned for analysis in found.analyses]
    return tuple(gap_words(gap, names) for gap in found.not_compared)


def moved_head(stages: int) -> tuple[str, ...]:
    """What stands above the cells of `moved_rows`."""
    return ("position", "token", "base", *(f"stage {number}" for number in range(1, stages + 1)), "first")


def moved_rows(rows: Sequence[StagesRow]) -> list[tuple[str, ...]]:
    """A row of cells for each position that any stage moved: rank and probability of the token under each model."""
    return [_cells(row) for row in rows if any(stage.moved for stage in row.stages)]


def _cells(row: StagesRow) -> tuple[str, ...]:
    token = "(end)" if row.is_end else visible_piece(row.piece, limit=_LONGEST_TOKEN)
    first = "unknown" if row.first is None else str(row.first + 1)
    given = (row.base, *(stage.given for stage in row.stages))
    return (str(row.index + 1), token, *map(_rank, given), first)


def _rank(given: Given) -> str:
    return f"{rank_words(given.rank)} ({probability(given.prob)})"
