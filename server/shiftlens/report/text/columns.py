"""Tables of text, in cells of equal width."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from shiftlens.analysis.model import Summary


def columns(table: Sequence[Sequence[str]], words: Collection[int]) -> list[str]:
    """The lines of a table, columns under each other: `words` to the left, the others, which are numbers, to the right.

    All rows have as many cells. A character may be two cells wide.
    """
    widths = [max(cell_len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(cell + space if column in words else space + cell)
        lines.append("  ".join(cells).rstrip())
    return lines


def shares_table(title: str, found: Sequence[tuple[str, Summary]], *, alone: bool = False) -> list[list[str]]:
    """A table of the shares of each, for `columns`, with those of no class where there are any; `alone`: in the words
    for classes by a model's own rank."""
    from shiftlens.analysis.classify import shares
    from shiftlens.analysis.model import CLASSES

    has_unknown = any(summary.unknown for _, summary in found)
    labels = [shift.own_label if alone else shift.label for shift in CLASSES]
    table = [[title, "positions", *labels, *(["without a class"] if has_unknown else [])]]
    for name, summary in found:
        of = shares(summary)
        unknown = [f"{summary.unknown:,}"] if has_unknown else []
        table.append([name, f"{summary.tokens:,}", *(of.percent(shift) for shift in CLASSES), *unknown])
    return table
