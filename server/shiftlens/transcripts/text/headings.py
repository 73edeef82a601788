"""Markdown headings, and what their words are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.text.between import Heading

# A date, a time, or both: "2024-01-02 12:03", "12:03:04 PM", "2024-01-02T12:03:04.5Z".
STAMP = (
    r"(?:(?:\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[./]\d\d?[./]\d{2,4})(?:[T ,]+\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?)?"
    r"|\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?)(?:[ ]?(?:[AaPp]\.?[Mm]\.?|Z|UTC|GMT|[+-]\d\d:?\d\d))*"
)

_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+([^\r\n]*)(?:\r*\n|\Z)")
_MAY_BE_HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]", re.MULTILINE)
_LONGEST = 120
_REMARK = re.compile(r"\([^()]*\)\W*$")
_STAMPED = re.compile(rf"^[ ]*[\[(]?{STAMP}[\])]?[ ]|[ ][\[(]?{STAMP}[\])]?[ ]*$")
_OF_STAMPS = re.compile(r"\d[-./:]\d")
"""What each date and time has: other headings, of which a file may have many, cost less."""
_OTHER = re.compile(r"[\W_]+")


def heading_at(text: str, start: int) -> Heading | None:
    """The heading on the line that begins at `start`."""
    match = _HEADING.match(text, start)
    if match is None:
        return None
    return Heading(start, match.end(), len(match[1]), words_of(match[2]), match[0].strip())


def headings_from(text: str, start: int) -> Iterator[Heading]:
    """All headings of text[start:], where `start` begins a line; those in fenced code too."""
    first = heading_at(text, start)
    if first:
        yield first
    for found in _MAY_BE_HEADING.finditer(text, start + 1):
        heading = heading_at(text, found.start())
        if heading:
            yield heading


def words_of(heading: str) -> str:
    """A heading's words without emoji, emphasis, punctuation, time stamps and a remark in parentheses."""
    if len(heading) > _LONGEST:
        return ""
    if heading.isalnum():
        return heading
    words = _without_remark(heading.strip())
    if _OF_STAMPS.search(words):
        words = _STAMPED.sub(" ", words)
    words = _without_remark(words)
    return _OTHER.sub(" ", words).strip()


def _without_remark(words: str) -> str:
    return _REMARK.sub("", words) if "(" in words else words
