"""What an edit did to offsets: the way between an older text and the present one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """The one region in which two texts differ, in code points.

    The first `prefix` and the last `suffix` characters are common to both.
    """

    old_length: int
    new_length: int
    prefix: int
    suffix: int

    @classmethod
    def between(cls, old: str, new: str) -> Edit:
        if old == new:
            return cls(len(old), len(new), len(old), 0)
        prefix = _common_prefix(old, new)
        most = min(len(old), len(new)) - prefix
        suffix = _common_suffix(old, new, most)
        return cls(len(old), len(new), prefix, suffix)

    @property
    def is_nothing(self) -> bool:
        return self.old_length == self.new_length == self.prefix

    def span_to_new(self, start: int, end: int) -> tuple[int, int] | None:
        """Where [start, end) of the old text is now; None where the edit touched it."""
        if end <= self.prefix:
            return start, end
        if start >= self.old_length - self.suffix:
            moved = self.new_length - self.old_length
            return start + moved, end + moved
        return None

    def offset_to_old(self, offset: int) -> int | None:
        """Where a character of the new text was; None for one inside the edited region."""
        if offset < self.prefix:
            return offset
        if offset >= self.new_length - self.suffix:
            return offset - self.new_length + self.old_length
        return None


def _common_prefix(old: str, new: str) -> int:
    """By bisection on slices, which Python compares at memory speed."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(old: str, new: str, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]:
            low = middle
        else:
            high = middle - 1
    return low
