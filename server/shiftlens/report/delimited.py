"""Rows of positions as CSV or TSV that a spreadsheet can open without running what a token says."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Literal, TextIO

from shiftlens.analysis.position_table import Column, Row, Value

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for a formula where a cell begins with it, the wide forms included."""


class DelimitedWriter:
    """Writes a header and rows to a file without translation of line ends. `neutralised` counts the cells of text that
    got an apostrophe before them.

    A cell of text that a spreadsheet would take for a formula, and one that begins with an apostrophe itself, gets one
    apostrophe more: taking one away from each cell that begins with one gives the text back.
    """

    def __init__(self, out: TextIO, columns: Iterable[Column], delimiter: Literal[",", "\t"]) -> None:
        self.columns = tuple(columns)
        self.neutralised = 0
        # With this ending (that of RFC 4180) the writer quotes cells with either of its characters.
        self._writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        self._writer.writerow([column.name for column in self.columns])

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, a value for each column. Raises OSError as the file does."""
        for row in rows:
            self._writer.writerow([self._cell(value) for value in row])

    def _cell(self, value: Value) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            return repr(value)
        # Not every reader can have a null character in a cell, nor any encoding a lone surrogate.
        text = value.replace("\0", "␀").encode("utf-8", "backslashreplace").decode()
        if text.startswith(_STARTS_FORMULA) or text.startswith("'"):
            self.neutralised += 1
            return f"'{text}"
        return text
