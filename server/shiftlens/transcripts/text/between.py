"""What stands between two turns and belongs to neither: rules, blank lines, and headings of conversations."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_RULE = re.compile(r"[ ]{0,3}(?:-{3,}|\*{3,}|_{3,}|={3,}|—{3,})[ \t\r]*\n?\Z")
_COUNTS = re.compile(
    r"(?:example|conversation|chat|dialogue?|sample|case|session|episode|scenario|test|transcript|thread|item|record"
    r"|beispiel|gespräch|exemple|ejemplo|esempio|exemplo|conversación|conversa|voorbeeld|пример|диалог|例|对话|会話)"
    r"(?:[ ](?:nr|no|number))?[ ]?\d+\b|\d+\Z",
    re.IGNORECASE,
)
_TURN_NUMBER = re.compile(r"(?:turn|round|message|exchange|step|runde|tour|turno|ronda)[ ]?\d+\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading outside of fenced code. `words` are its text without emphasis, emoji and punctuation."""

    start: int
    text_start: int
    level: int
    words: str
    shown: str

    @property
    def counts(self) -> bool:
        """Whether it numbers a conversation ("Example 2")."""
        return _COUNTS.match(self.words) is not None

    @property
    def numbers_a_turn(self) -> bool:
        """Whether it counts turns within one conversation ("Turn 2")."""
        return _TURN_NUMBER.match(self.words) is not None


class Headings:
    """The headings of a file that begin no turn, in order."""

    def __init__(self, headings: Sequence[Heading]) -> None:
        self._by_start = {heading.start: heading for heading in headings}
        self._starts = list(self._by_start)

    def at(self, start: int) -> Heading | None:
        """The heading on the line that begins here."""
        return self._by_start.get(start)

    def between(self, start: int, end: int) -> Iterator[Heading]:
        """The headings on lines that begin in [start, end)."""
        for at in range(bisect_left(self._starts, start), len(self._starts)):
            if self._starts[at] >= end:
                return
            yield self._by_start[self._starts[at]]


def after_counting_headings(text: str, starts: Sequence[int], headings: Sequence[Heading]) -> frozenset[int]:
    """Those of the ascending offsets `starts` right before which a heading numbers a conversation ("Example 2")."""
    found: set[int] = set()
    for heading in headings:
        at = bisect_left(starts, heading.text_start)
        if heading.counts and at < len(starts) and not text[heading.text_start : starts[at]].strip():
            found.add(starts[at])
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Gap:
    """Rules, headings and blank lines right before a mark.

    `start` is where they begin, `rules_start` where those after the last heading do. `apart` says that the turn has
    text before the first heading, with a blank line or a rule between.
    """

    start: int
    rules_start: int
    ruled: bool
    headings: tuple[Heading, ...]
    apart: bool


def gap_before(text: str, start: int, end: int, headings: Headings) -> Gap:
    """The gap that ends at `end`, where a line begins, and does not begin before `start`."""
    at = gap_start = rules_start = end
    found: list[Heading] = []
    ruled = False
    apart = True
    while at > start:
        line = max(start, text.rfind("\n", start, at - 1) + 1)
        heading = headings.at(line)
        whole = line == 0 or text[line - 1] == "\n"
        if not text[line:at].strip(" \t\r\n"):
            apart = True
        elif heading:
            found.append(heading)
            gap_start, apart = line, False
        elif whole and _RULE.match(text[line:at]):
            ruled = apart = True
            gap_start = line
            rules_start = rules_start if found else line
        else:
            break
        at = line
    return Gap(gap_start, rules_start, ruled, tuple(reversed(found)), apart and at > start)


def rule_at_end(text: str, start: int, end: int) -> int:
    """`end` less the rules and blank lines before it."""
    return gap_before(text, start, end, Headings(())).start


def is_rule(line: str) -> bool:
    """Whether a line is a Markdown rule or the like."""
    return _RULE.match(line) is not None
