"""Lines and columns of a text, in the units that editors count in.

Lines break at LF, CRLF and CR and nowhere else (LSP 3.17, "Text Documents"); U+2028, VT, FF and NEL, at which
`str.splitlines` breaks as well, are characters like any other.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

Unit = Literal["utf-8", "utf-16", "utf-32"]
"""What a column counts: bytes of UTF-8, code units of UTF-16, or code points. LSP's names for them."""

_BREAK = re.compile(r"\r\n|\r|\n")
# Running totals are kept once per this many characters, so that a file of one huge line is as quick as any other.
_BLOCK = 256


def _utf8_units(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_MEASURES: dict[Unit, Callable[[str], int]] = {"utf-8": _utf8_units, "utf-16": _utf16_units, "utf-32": len}


class LineIndex:
    """The lines of one version of a text, counted from 0.

    Offsets are in code points. Looking up costs O(log n). What ASCII text does not need is never computed.
    """

    __slots__ = ("_plain", "_starts", "_totals", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = text.isascii()
        self._starts = array("Q", [0])
        self._starts.extend(found.end() for found in _BREAK.finditer(text))
        self._totals: dict[Unit, Sequence[int]] = {}

    @property
    def line_count(self) -> int:
        """Number of lines; a text that ends in a line break has an empty line after it."""
        return len(self._starts)

    def line_span(self, line: int) -> tuple[int, int]:
        """Offsets of the line's content, without its line break. Raises IndexError where there is no such line."""
        if not 0 <= line < len(self._starts):
            raise IndexError(f"no line {line} in a text of {len(self._starts)}")
        start = self._starts[line]
        if line + 1 == len(self._starts):
            return start, len(self.text)
        end = self._starts[line + 1] - 1
        if end > start and self.text[end] == "\n" and self.text[end - 1] == "\r":
            end -= 1
        return start, end

    def line_of(self, offset: int) -> int:
        """The line of an offset; offsets outside the text count as its ends."""
        return bisect_right(self._starts, max(0, offset)) - 1

    def position(self, offset: int, unit: Unit = "utf-16") -> tuple[int, int]:
        """(line, column) of an offset, the column in `unit`.

        Offsets outside the text count as its ends. An offset inside a line break is the end of its line, as LSP
        has no positions there.
        """
        at = min(max(0, offset), len(self.text))
        line = self.line_of(at)
        start, end = self.line_span(line)
        return line, self.units(start, min(at, end), unit)

    def offset(self, line: int, column: int, unit: Unit = "utf-16") -> int:
        """The offset of a position, whose column is in `unit`.

        A column past the end of its line is that end, a line past the last one is the end of the text (LSP 3.17,
        "Position"). A column inside a character is that character's start.
        """
        if line < 0:
            return 0
        if line >= len(self._starts):
            return len(self.text)
        start, end = self.line_span(line)
        if column <= 0:
            return start
        if self._plain or unit == "utf-32":
            return min(start + column, end)
        return min(self._character_at(self._units_before(start, unit) + column, unit), end)

    def units(self, start: int, end: int, unit: Unit = "utf-16") -> int:
        """Length of [start, end) in `unit`."""
        if self._plain or unit == "utf-32":
            return end - start
        if end - start <= _BLOCK:
            return _MEASURES[unit](self.text[start:end])
        return self._units_before(end, unit) - self._units_before(start, unit)

    def _units_before(self, offset: int, unit: Unit) -> int:
        block = offset // _BLOCK
        return self._block_totals(unit)[block] + _MEASURES[unit](self.text[block * _BLOCK : offset])

    def _character_at(self, units: int, unit: Unit) -> int:
        """The offset of the last character that begins at or before this many units into the text."""
        totals = self._block_totals(unit)
        block = bisect_right(totals, units) - 1
        left = units - totals[block]
        at = block * _BLOCK
        for character in self.text[at : at + _BLOCK]:
            left -= _MEASURES[unit](character)
            if left < 0:
                break
            at += 1
        return at

    def _block_totals(self, unit: Unit) -> Sequence[int]:
        """Units before each block. Computed on first use, the text does not change."""
        known = self._totals.get(unit)
        if known is not None:
            return known
        totals = array("Q", [0])
        total = 0
        measure = _MEASURES[unit]
        for at in range(0, len(self.text), _BLOCK):
            total += measure(self.text[at : at + _BLOCK])
            totals.append(total)
        self._totals[unit] = totals
        return totals
