"""The table of `shiftlens cross-sample`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftlens.analysis.cross_sampling import CrossSampled, Spread
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
        from shiftlens.text.visible import harmless, visible_piece

        if not self._has_begun:
            self._has_begun = True
            self._head()
        for note in found.notes:
            if note not in self._notes:
                self._notes.add(note)
                self._write(harmless(f"note: {note}"))
        position = found.position

        def shown(piece: bytes, *, ends: bool) -> str:
            return "(end)" if ends else visible_piece(piece, limit=_LONGEST_TOKEN)

        self._line(
            (
                str(position.response + 1),
                str(position.row),
                shown(position.said.piece, ends=position.said.ends),
                shown(position.base.piece, ends=position.base.ends),
                _probability(position.base_prob),
                _probability(position.aligned_prob),
                *(_distances(found, name) for name in ("swapped", "kept")),
                f"{found.effect:+.2f}",
                *(_distances(found, name) for name in ("reverse", "base")),
                _same(found),
            )
        )

    def _head(self) -> None:
        from shiftlens.text.visible import harmless_name

        pair, asked = self._analysis.pair, self._asked
        self._write(harmless_name(self._shown))
        self._write(f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}")
        self._write(_how(asked))
        self._write("")
        self._line([name for name, _ in _COLUMNS])

    def _line(self, cells: Sequence[str]) -> None:
        from rich.cells import cell_len

        padded = []
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True):
            space = " " * max(0, abs(width) - cell_len(cell))
            padded.append(cell + space if width < 0 else space + cell)
        self._write("  ".join(padded).rstrip())


def _how(asked: CrossSampling) -> str:
    """How the continuations are drawn, in a sentence."""
    sampling = asked.sampling
    behind = f"{sampling.max_tokens} tokens behind the position"
    if not asked.samples:
        return f"edit distance to the response over {behind}; greedy"
    seeds = f"seed {asked.seed}" if asked.samples == 1 else f"seeds {asked.seed} to {asked.seed + asked.samples - 1}"
    top_p = "" if sampling.top_p == 1.0 else f", top-p {sampling.top_p:g}"
    return f"edit distance to the response over {behind}; {seeds}, temperature {sampling.temperature:g}{top_p}"


def _distances(found: CrossSampled, name: str) -> str:
    from shiftlens.analysis.cross_sampling import distance

    arm = found.arm(name)
    return "-" if arm is None else _spread(arm.spread(distance))


def _spread(spread: Spread) -> str:
    if spread.count < 2:
        return f"{spread.mean:.2f}"
    return f"{spread.mean:.2f} ({spread.least:.2f}-{spread.most:.2f})"


def _same(found: CrossSampled) -> str:
    """Where the greedy continuation behind the swapped token parts from the response."""
    arm = found.arm("swapped")
    if arm is None:
        return "-"
    parting = arm.greedy.parting
    if not parting.parts:
        return "all"
    return f"{parting.same_tokens} tokens, {parting.same_characters} characters"


def _probability(value: float) -> str:
    from shiftlens.analysis.facts import probability

    return probability(value)
