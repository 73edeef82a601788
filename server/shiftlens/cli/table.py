"""Tables of text for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len


def columns(table: Sequence[Sequence[str]], words: Collection[int]) -> list[str]:
    """The lines of a table, columns under each other: `words` to the left, the others, which are numbers, to the right.

    All rows have as many cells. A character may be two cells of the terminal wide.
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
