"""Fenced code blocks, in which labels and headings mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"[ ]{0,3}(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})")


def unfenced_lines(text: str, start: int, prefix: re.Pattern[str] | None = None) -> Iterator[int]:
    """Offsets at which lines outside fenced code begin, from the line at `start` on.

    The rules are CommonMark's, save that a fence that is never closed fences nothing: a response that was cut
    inside a code block must not swallow the turns after it. A fence may follow `prefix` on its line (a label); such
    a line counts as outside.
    """
    unclosed: dict[str, int] = {}
    at = start
    while at < len(text):
        head = prefix.match(text, at) if prefix else None
        opening = _OPENING.match(text, head.end() if head else at)
        if head or not opening:
            yield at
        end = _fence_end(text, opening, unclosed) if opening else None
        if opening and end is None and not head:
            yield at
        if end is None:
            newline = text.find("\n", at)
            end = len(text) if newline < 0 else newline + 1
        at = end


def _fence_end(text: str, opening: re.Match[str], unclosed: dict[str, int]) -> int | None:
    """Offset of the line after the closing fence. `unclosed` remembers lengths that nothing further on closes."""
    mark = opening[1]
    if len(mark) >= unclosed.get(mark[0], len(mark) + 1):
        return None
    closing = re.compile(rf"\n[ ]{{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*\r?(?:\n|\Z)")
    found = closing.search(text, opening.end())
    if found is None:
        unclosed[mark[0]] = len(mark)
        return None
    return found.end()
