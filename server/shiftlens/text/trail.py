"""Edits one after the other: where they have left what an older text held."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from shiftlens.text.edits import Edit

_LONGEST_TRAIL = 1000


class Hunk(NamedTuple):
    """[old_start, old_end) of the old text became [new_start, new_end) of the new one."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Edits:
    """The regions in which two texts differ, in code points, sorted; between two of them stands something common.

    One edit from text to text would take everything between the first and the last change for changed.
    """

    old_length: int
    new_length: int
    hunks: tuple[Hunk, ...] = ()

    @classmethod
    def between(cls, old: str, new: str) -> Edits:
        """As one region at most, which is all that two texts tell."""
        return cls(len(old), len(old)).then(Edit.between(old, new))

    @property
    def is_nothing(self) -> bool:
        return not self.hunks

    @property
    def is_at_end(self) -> bool:
        """Whether the old text's end is not where the new text's end is."""
        last = self.hunks[-1] if self.hunks else None
        return last is not None and last.old_end == self.old_length and self.old_length != self.new_length

    def then(self, edit: Edit) -> Edits:
        """These edits, and then another one of the text that they led to; regions that touch become one."""
        if edit.is_nothing:
            return self
        start, end = edit.prefix, edit.old_length - edit.suffix
        moved = edit.new_length - edit.old_length
        before = [hunk for hunk in self.hunks if hunk.new_end < start]
        after = [hunk for hunk in self.hunks if hunk.new_start > end]
        touched = self.hunks[len(before) : len(self.hunks) - len(after)]
        shift = _shift(before[-1]) if before else 0
        first, past = start - shift, end - shift
        if touched:
            first = min(first, touched[0].old_start)
            past = max(end - _shift(touched[-1]), touched[-1].old_end)
            start, end = min(start, touched[0].new_start), max(end, touched[-1].new_end)
        merged = Hunk(first, past, start, end + moved)
        later = (Hunk(h.old_start, h.old_end, h.new_start + moved, h.new_end + moved) for h in after)
        return Edits(self.old_length, edit.new_length, (*before, merged, *later))

    def span_to_new(self, start: int, end: int) -> tuple[int, int] | None:
        """Where [start, end) of the old text is now; None where an edit touched it."""
        at = bisect_right(self.hunks, start, key=lambda hunk: hunk.old_end)
        if at < len(self.hunks) and end > self.hunks[at].old_start:
            return None
        moved = _shift(self.hunks[at - 1]) if at else 0
        return start + moved, end + moved

    def offset_to_old(self, offset: int) -> int | None:
        """Where a character of the new text was; None for one inside an edited region."""
        at = bisect_right(self.hunks, offset, key=lambda hunk: hunk.new_end)
        if at < len(self.hunks) and offset >= self.hunks[at].new_start:
            return None
        return offset - (_shift(self.hunks[at - 1]) if at else 0)

    def region_start(self, offset: int) -> int:
        """Where in the old text the edited region begins that a character of the new text stands in."""
        return self.hunks[bisect_right(self.hunks, offset, key=lambda hunk: hunk.new_end)].old_start


@dataclass(slots=True)
class Trail:
    """The latest edits of a document, each with the version that it led to. `since`: complete from that version on."""

    since: int
    _steps: deque[tuple[int, Edit]] = field(default_factory=deque)

    def add(self, version: int, edit: Edit) -> None:
        self._steps.append((version, edit))
        while len(self._steps) > _LONGEST_TRAIL:
            self.since, _ = self._steps.popleft()

    def between(self, old: tuple[int, str], new: tuple[int, str]) -> Edits:
        """What led from one version and text to a later one."""
        (first, before), (last, after) = old, new
        if before != after and first >= self.since:
            steps = (edit for version, edit in self._steps if first < version <= last)
            edits = _chained(len(before), steps)
            if edits is not None and edits.new_length == len(after):
                return edits
        return Edits.between(before, after)


def _chained(length: int, steps: Iterable[Edit]) -> Edits | None:
    edits = Edits(length, length)
    for step in steps:
        if step.old_length != edits.new_length:
            return None
        edits = edits.then(step)
    return edits


def _shift(hunk: Hunk) -> int:
    return hunk.new_end - hunk.old_end
