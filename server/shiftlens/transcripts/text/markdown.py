"""Conversations whose turns stand under Markdown headings such as `## User` and `## Assistant`."""

from __future__ import annotations

import re
from typing import NamedTuple

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    LineCounter,
    Problem,
    Reading,
    Said,
    check_turns,
    line_number,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.roles import ALL_NAMES, SYSTEM_NAMES, Pair, pair_of
from shiftlens.transcripts.text.fences import unfenced_lines

_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+([^\r\n]*)(?:\r?\n|\Z)")
_LONGEST_NAME = 120
_QUICK = re.compile(r"^[ ]{0,3}#{1,6}[ \t]", re.MULTILINE)
_PARENTHESIS = re.compile(r"\([^()]*\)\W*$")
_RULE_AT_END = re.compile(r"(?:^|\n)[ ]{0,3}(?:-{3,}|\*{3,}|_{3,})[ \t\r\n]*\Z")


class _Heading(NamedTuple):
    level: int
    name: str
    shown: str
    start: int
    text_start: int


def read_markdown(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as turns under role headings; None where it is not that.

    The first role heading sets the level: only headings of that level part turns, so headings inside answers are
    text. Where an earlier heading of that level names no role, the file is some other document (unless the format
    is `forced`). Blank lines around a turn's text and rules (`---`) between turns are not text.
    """
    if not _QUICK.search(text, start):
        return _refused(forced)
    headings = _role_headings(text, start, forced)
    if not headings:
        return _refused(forced)
    pair = next((p for p in (pair_of(heading.name) for heading in headings) if p), None)
    if pair is None or not any(heading.name in pair.assistant for heading in headings):
        return _refused(forced)
    turns, problems = _turns(headings, pair, text)
    answer = next((heading for role, heading in turns if role is Role.ASSISTANT), None)
    if answer is None:
        return _refused(forced)
    check_turns(len(turns))
    asked = next(heading for role, heading in turns if role is Role.USER)
    evidence = (
        f"`{asked.shown}` on line {line_number(text, asked.start)} and "
        f"`{answer.shown}` on line {line_number(text, answer.start)}"
    )
    return Reading(evidence, (Conversation(_said(turns, text)),), problems)


def _said(turns: list[tuple[Role, _Heading]], text: str) -> tuple[Said, ...]:
    ends = [heading.start for _, heading in turns[1:]] + [len(text)]
    said: list[Said] = []
    ruled = False
    for at, ((role, heading), end) in enumerate(zip(turns, ends, strict=True)):
        first, last = _text_span(text, heading.text_start, end)
        rule = _RULE_AT_END.search(text[first:last])
        if rule and (at < len(turns) - 1 or ruled):
            ruled = True
            first, last = _text_span(text, first, first + rule.start())
        said.append(Said(verbatim_turn(role, text, first, last)))
    return tuple(said)


def _text_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the blank lines around it; the first line keeps its indentation."""
    first, last = trimmed(text, start, end)
    return max(start, text.rfind("\n", start, first) + 1) if first < last else first, last


def _role_headings(text: str, start: int, forced: bool) -> list[_Heading]:
    """From the first heading that opens a conversation on, those of its level with a role's name.

    Empty where another heading of that level comes before it, unless `forced`.
    """
    found: list[_Heading] = []
    levels_before: set[int] = set()
    for at in unfenced_lines(text, start):
        match = _HEADING.match(text, at)
        if match is None or (found and len(match[1]) != found[0].level):
            continue
        level, name = len(match[1]), _plain(match[2])
        if found:
            if name in ALL_NAMES:
                found.append(_Heading(level, name, match[0].strip(), at, match.end()))
        elif not _opens(name):
            levels_before.add(level)
        elif forced or level not in levels_before:
            found.append(_Heading(level, name, match[0].strip(), at, match.end()))
        else:
            return []
    return found


def _plain(heading: str) -> str:
    """A heading's words in lower case, without emoji, emphasis, punctuation and a remark in parentheses."""
    if len(heading) > _LONGEST_NAME:
        return ""
    if heading.isalnum():
        return heading.lower()
    words = _PARENTHESIS.sub("", heading.strip())
    return re.sub(r"[\W_]+", " ", words).strip().lower()


def _opens(name: str) -> bool:
    return name in SYSTEM_NAMES or pair_of(name) is not None


def _turns(headings: list[_Heading], pair: Pair, text: str) -> tuple[list[tuple[Role, _Heading]], tuple[Problem, ...]]:
    """The headings that take turns; a role's heading out of turn is text, and is reported."""
    turns: list[tuple[Role, _Heading]] = []
    problems: list[Problem] = []
    lines = LineCounter(text)
    allowed = {None: (Role.SYSTEM, Role.USER), Role.SYSTEM: (Role.USER,), Role.USER: (Role.ASSISTANT,)}
    for heading in headings:
        role = pair.role(heading.name)
        if role is None:
            continue
        if role in allowed.get(turns[-1][0] if turns else None, (Role.USER,)):
            turns.append((role, heading))
        else:
            line = lines.of(heading.start)
            problems.append((line, f"`{heading.shown}` is out of turn here and was read as text."))
    return turns, tuple(problems)


def _refused(forced: bool) -> Reading | None:
    if forced:
        raise TranscriptError(
            "There is no heading such as `## User` with a heading such as `## Assistant` of the same level after it.",
            "Put each turn under such a heading, or choose another format.",
        )
    return None


FORMAT = TextFormat(
    name="markdown",
    summary="Markdown with role headings: ## User and ## Assistant",
    examples=(
        Example(
            "chat.md",
            "## User\n\nWhy is the sky blue?\n\n## Assistant\n\n"
            "Great question! Air scatters blue light more than red.\n",
        ),
    ),
    read=read_markdown,
    prose=True,
)
