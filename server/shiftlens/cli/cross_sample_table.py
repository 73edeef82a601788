"""The table of `shiftlens cross-sample`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftlens.analysis.cross_sampling import CrossSampled
    from shiftlens.analysis.model import Analysis
    from shiftlens.pipeline.cross_sample import CrossSampling

_LONGEST_TOKEN = 16
_COLUMNS = (
    ("response", 8),
    ("position", 8),
    ("token", -_LONGEST_TOKEN),
    ("base's choice", -_LONGEST_TOKEN),
    ("base", 8),
    ("aligned", 8),
    ("swapped", 16),
    ("kept", 16),
    ("effect", 6),
    ("reverse", 16),
    ("base goes on", 16),
    ("same after the swap", -24),
)
"""Each column and its width; those with a negative one stand to the left."""


class TablePrinter:
    """Prints a table row by row, as its positions are done."""

    def __init__(
        self, write: Callable[[str], None], shown: str, analysis: Analysis, asked: CrossSampling
    ) -> None:  # fmt: skip
        self._write, self._analysis = write, analysis
        self._shown, self._asked = shown, asked
        self._notes: set[str] = set()
        self._has_begun = False

    def row(self, found: CrossSampled) -> None:
        """Print a position, below the head of the table where it is the first."""
        from shiftlens.analysis.facts import probability
        from shiftlens.report.text.cross_sampling import choice_words, distances_words, same_words
        from shiftlens.text.visible import harmless

        if not self._has_begun:
            self._has_begun = True
            self._head()
        for note in found.notes:
            if note not in self._notes:
                self._notes.add(note)
                self._write(harmless(f"note: {note}"))
        position = found.position
        self._line(
            (
                str(position.response + 1),
                str(position.row),
                choice_words(position.said, _LONGEST_TOKEN),
                choice_words(position.base, _LONGEST_TOKEN),
                probability(position.base_prob),
                probability(position.aligned_prob),
                *(distances_words(found.arm(name)) for name in ("swapped", "kept")),
                f"{found.effect:+.2f}",
                *(distances_words(found.arm(name)) for name in ("reverse", "base")),
                same_words(found.arm("swapped")),
            )
        )

    def _head(self) -> None:
        from shiftlens.report.text.cross_sampling import how_words
        from shiftlens.text.visible import harmless_name

        pair, asked = self._analysis.pair, self._asked
        self._write(harmless_name(self._shown))
        self._write(f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}")
        self._write(f"{how_words(asked)}; positions from 0")
        self._write("")
        self._line([name for name, _ in _COLUMNS])

    def _line(self, cells: Sequence[str]) -> None:
        from rich.cells import cell_len

        padded = []
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True):
            space = " " * max(0, abs(width) - cell_len(cell))
            padded.append(cell + space if width < 0 else space + cell)
        self._write("  ".join(padded).rstrip())
