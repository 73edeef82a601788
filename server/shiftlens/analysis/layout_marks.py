"""The characters of a text that are layout and no words: Markdown's marks, list numbers, fences, colons at line ends.

The text is that of an answer, which may be cut anywhere. All of it takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Span = tuple[int, int]

_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^\n]*)")
_RULE = re.compile(r"[ \t]*([-*_=])(?:[ \t]*\1){2,}[ \t]*\r?\n?\Z")
_TABLE_RULE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?::?-+:?[ \t]*)?\r?\n?\Z")
_LEADING = re.compile(
    r"[ \t]*(?:>[ \t]?)*[ \t]*"
    r"(?:#{1,6}(?=[ \t]|\r?\n|\Z)|(?:[-*+•‣◦▪●○–—·]|\(?\d{1,3}[.)、）]|\(?[a-zA-Z]\))(?=[ \t]|\Z)|\d{1,3}、)?"
    r"(?:[ \t]+\[[ xX]\](?=[ \t]))?"
)
_INLINE_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]+)\1(?!`)")
_EMPHASIS = re.compile(r"(?<!\s)[*]+|[*]+(?!\s)|~~|`+|(?<![^\W_])_+(?=\S)|(?<=\S)_+(?![^\W_])")
_LINK = re.compile(r"(!?\[)[^\[\]\n]*(\]\()[^()\s]*(\))")
_TAG = re.compile(
    r"</?(?:a|b|br|code|details|div|em|h[1-6]|hr|i|li|ol|p|pre|span|strong|sub|summary|sup|table|td|th|tr|u|ul)"
    r"(?:[ \t][^<>\n]*)?/?>",
    re.IGNORECASE,
)
_COLON = re.compile(r"[:：](?=[*_]*[ \t]*(?:\r?\n|\Z))")


@dataclass(frozen=True, slots=True)
class Layout:
    """Spans of characters: `marks` are layout, `code` is what stands in fences and between backquotes."""

    marks: tuple[Span, ...]
    code: tuple[Span, ...]


def layout_of(text: str) -> Layout:
    """Where the marks and the code of a text are, each in no particular order."""
    marks: list[Span] = []
    code: list[Span] = []
    fence = ""
    for found in _LINE.finditer(text):
        line, at = found[0], found.start()
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                marks.append(found.span())
                fence = ""
            else:
                code.append(found.span())
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            marks.append(found.span())
            fence = mark[1]
        else:
            _line(line, at, marks, code)
    return Layout(tuple(marks), tuple(code))


def _line(line: str, at: int, marks: list[Span], code: list[Span]) -> None:
    """The marks and the code of a line outside of fences, which begins at `at`."""
    if _RULE.match(line) or ("|" in line and _TABLE_RULE.match(line)):
        marks.append((at, at + len(line)))
        return
    leading = _LEADING.match(line)
    begin = leading.end() if leading else 0
    if begin:
        marks.append((at, at + begin))
    inside: list[Span] = []
    for found in _INLINE_CODE.finditer(line, begin):
        size = len(found[1])
        marks += ((at + found.start(), at + found.start() + size), (at + found.end() - size, at + found.end()))
        inside.append((found.start() + size, found.end() - size))
    code += ((at + start, at + end) for start, end in inside)
    if line.lstrip().startswith("|"):
        inside_out = _outside(line, begin, inside)
        marks += ((at + index, at + index + 1) for start, end in inside_out for index in _pipes(line, start, end))
    for start, end in _outside(line, begin, inside):
        marks += ((at + a, at + b) for a, b in _inline_marks(line, start, end))
    colon = _COLON.search(line, begin)
    if colon and colon.end() < len(line):
        marks.append((at + colon.start(), at + colon.end()))


def _outside(line: str, begin: int, inside: list[Span]) -> Iterator[Span]:
    """What of line[begin:] is not in these spans, which are in order."""
    for start, end in inside:
        yield begin, start
        begin = end
    yield begin, len(line)


def _pipes(line: str, start: int, end: int) -> Iterator[int]:
    return (index for index in range(start, end) if line[index] == "|")


def _inline_marks(line: str, start: int, end: int) -> Iterator[Span]:
    for found in _EMPHASIS.finditer(line, start, end):
        yield found.span()
    for found in _LINK.finditer(line, start, end):
        yield from (found.span(1), found.span(2), found.span(3))
    for found in _TAG.finditer(line, start, end):
        yield found.span()
