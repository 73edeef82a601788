"""Fenced code blocks, in which labels and headings mean nothing."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"[ ]{0,3}(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})([^\n]*)(?:\n|\Z)")
_MAY_BE_FENCE = re.compile(r"^[ ]{0,3}(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that opens or closes a block. `end` is the next line's offset; only a `bare` one can close."""

    start: int
    end: int
    character: str
    length: int
    bare: bool


class Fences:
    """Where fenced code stands in text[start:]. Building it takes linear time.

    The rules are CommonMark's, save that an answer may be cut inside a block. `labels` are the (start, end) of the
    marks that may begin a turn, in order; a fence may follow one on its line. A block that is closed beyond a label
    only is cut at the label, unless the label is code itself. It is where the lines under the last label before the
    closing line are whole with that line taken for it, and not without: a later answer's own block has two such lines.
    """

    def __init__(self, text: str, start: int, labels: Sequence[tuple[int, int]]) -> None:
        self._labels = [label for label, _ in labels]
        self._fences = _fences(text, start, labels)
        self._segments = [bisect_right(self._labels, fence.start) for fence in self._fences]
        self._closing, self._partner = _partners(self._fences)
        self._whole = self._whole_from()
        self.open_at_end = False
        """Whether the text ends in a block that nothing closes."""
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._find_blocks(len(text))

    def holds(self, offset: int) -> bool:
        """Whether the line at `offset` is fenced code, or closes some."""
        at = bisect_right(self._begins, offset) - 1
        return at >= 0 and offset < self._ends[at]

    def _whole_from(self) -> list[bool]:
        """For each fence: whether, if it opens a block, that one and all after it up to the next label are whole."""
        whole = [False] * len(self._fences)
        for at in reversed(range(len(self._fences))):
            closing = self._own_closing(at)
            whole[at] = closing is not None and self._is_whole_after(closing, whole)
        return whole

    def _own_closing(self, at: int) -> int | None:
        """What closes the block before the next label, as long as its opening and with no other opening in between."""
        partner = self._partner[at]
        if partner is None or self._segments[partner] != self._segments[at] or not self._fences[partner].bare:
            return None
        return partner if self._fences[partner].length == self._fences[at].length else None

    def _is_whole_after(self, at: int, whole: list[bool]) -> bool:
        after = at + 1
        return after == len(self._fences) or self._segments[after] != self._segments[at] or whole[after]

    def _find_blocks(self, end: int) -> None:
        firsts: dict[int, int] = {}
        for at, segment in enumerate(self._segments):
            firsts.setdefault(segment, at)
        at = 0
        while at < len(self._fences):
            fence, segment, close = self._fences[at], self._segments[at], self._closing[at]
            next_label = self._labels[segment] if segment < len(self._labels) else end
            if close is not None and (self._segments[close] == segment or self._labels_are_code(at, close, firsts)):
                block_end, at = self._fences[close].end, close + 1
            else:
                block_end, at = next_label, at + 1
                self.open_at_end = next_label == end
                while at < len(self._fences) and self._segments[at] == segment:
                    at += 1
            self._begins.append(fence.end)
            self._ends.append(block_end)

    def _labels_are_code(self, at: int, close: int, firsts: dict[int, int]) -> bool:
        if self._partner[at] != close:
            return False
        first = firsts[self._segments[close]]
        if self._own_closing(first) is None:
            return True
        return not self._whole[first] and self._is_whole_after(close, self._whole)


def _fences(text: str, start: int, labels: Sequence[tuple[int, int]]) -> list[_Fence]:
    labelled = {label: after for label, after in labels if after > label and text[after - 1] != "\n"}
    starts = {found.start(): found.start() for found in _MAY_BE_FENCE.finditer(text, start)}
    starts.setdefault(start, start)
    starts.update(labelled)
    found: list[_Fence] = []
    for line in sorted(starts):
        match = _FENCE.match(text, starts[line])
        if match:
            bare = line not in labelled and not match[2].strip(" \t\r")
            found.append(_Fence(line, match.end(), match[1][0], len(match[1]), bare))
    return found


def _partners(fences: list[_Fence]) -> tuple[list[int | None], list[int | None]]:
    """For each fence, by index: the bare one that closes it, and the first of its kind, bare or not, that is as long.

    Only fences at least as long count. A search steps from longer to longer fences, so that it takes no more steps
    than the opening fence has characters.
    """
    closing: list[int | None] = [None] * len(fences)
    partner: list[int | None] = [None] * len(fences)
    for character in "`~":
        for into, bare_only in ((closing, True), (partner, False)):
            longer: dict[int, int | None] = {}
            nearest: int | None = None
            for at in reversed(range(len(fences))):
                fence = fences[at]
                if fence.character != character:
                    continue
                into[at] = _first_as_long(nearest, fence.length, fences, longer)
                if fence.bare or not bare_only:
                    longer[at] = _first_as_long(nearest, fence.length + 1, fences, longer)
                    nearest = at
    return closing, partner


def _first_as_long(at: int | None, length: int, fences: list[_Fence], longer: dict[int, int | None]) -> int | None:
    while at is not None and fences[at].length < length:
        at = longer[at]
    return at
