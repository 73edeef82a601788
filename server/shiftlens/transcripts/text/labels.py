"""Plain conversations with `User:` and `Assistant:` at the start of lines."""

from __future__ import annotations

import re
from functools import cache
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
from shiftlens.transcripts.roles import ALL_NAMES, PAIRS, Pair, pair_of
from shiftlens.transcripts.text.fences import unfenced_lines


def _spellings(name: str) -> set[str]:
    if len(name) == 1:
        return {name.upper()}
    return {name, name.upper(), name.capitalize(), name.title(), name.title().replace("Ai", "AI").replace("gpt", "GPT")}


_LEAD = re.compile(r"(?:[ \t]*(?:\r?\n)|#{1,6}[ \t][^\n]*(?:\n|\Z)|(?:---+|\*\*\*+|___+)[ \t]*\r?\n)*")


@cache
def _label_pattern() -> re.Pattern[str]:
    """A label and the space behind it. Compiled when first asked for: it takes a tenth of the server's start."""
    spellings = (re.escape(spelling) for name in ALL_NAMES for spelling in _spellings(name))
    names = "|".join(sorted(spellings, key=len, reverse=True))
    who = rf"(?P<name>{names})(?:[ ]\([^()\r\n]{{1,60}}\))?"
    bold = who.replace("<name>", "<bold>")
    return re.compile(rf"(?:{who}:|\*\*{bold}(?::\*\*|\*\*:))(?=[ \t\r\n]|\Z)(?:[ \t]*\r?\n|[ \t])?")


class _Label(NamedTuple):
    role: Role
    shown: str
    start: int
    text_start: int


def read_labels(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as a labelled conversation; None where it is not one.

    Nothing but headings, rules and blank lines may come before the first label, unless the format is `forced`. The
    text of a turn begins after the label and one space, or on the next line that is not blank, and ends before the
    blanks that precede the next label. Labels in fenced code are text.
    """
    lead = _LEAD.match(text, start)
    begin = lead.end() if lead else start
    if not forced and not _label_pattern().match(text, begin):
        return None
    every = _labels(text, start if forced else begin)
    if not forced and all(label.role is not Role.ASSISTANT for label in every):
        return None
    labels, problems = _alternating(every, text)
    first_answer = next((label for label in labels if label.role is Role.ASSISTANT), None)
    if first_answer is None:
        if not forced:
            return None
        raise TranscriptError(
            "There is no `User:` label at the start of a line with an `Assistant:` label after it.",
            "Begin each turn with such a label, or choose another format.",
        )
    ends = [label.start for label in labels[1:]] + [len(text)]
    check_turns(len(labels))
    said: list[Said] = []
    for label, end in zip(labels, ends, strict=True):
        first, last = _text_span(text, label, end)
        said.append(Said(verbatim_turn(label.role, text, first, last)))
    asked = next(label for label in labels if label.role is Role.USER)
    evidence = (
        f"`{asked.shown}` on line {line_number(text, asked.start)} and "
        f"`{first_answer.shown}` on line {line_number(text, first_answer.start)}"
    )
    return Reading(evidence, (Conversation(tuple(said)),), problems)


def _labels(text: str, start: int) -> list[_Label]:
    """All labels of the pair to which the first label of an asking side belongs."""
    pair: Pair | None = None
    systems: list[_Label] = []
    found: list[_Label] = []
    pattern = _label_pattern()
    for at in unfenced_lines(text, start, pattern):
        match = pattern.match(text, at)
        if match is None:
            continue
        name = (match["name"] or match["bold"]).lower()
        if pair is None:
            pair = pair_of(name)
        role = pair.role(name) if pair else PAIRS[0].role(name)
        if role is None or (pair is None and role is not Role.SYSTEM):
            continue
        label = _Label(role, match[0].strip(), at, match.end())
        (found if pair else systems).append(label)
    return systems + found


def _alternating(every: list[_Label], text: str) -> tuple[list[_Label], tuple[Problem, ...]]:
    """The labels that take turns. One out of turn is text of the turn it stands in, and is reported."""
    kept: list[_Label] = []
    problems: list[Problem] = []
    lines = LineCounter(text)
    for label in every:
        before = kept[-1].role if kept else None
        allowed = {None: (Role.SYSTEM, Role.USER), Role.SYSTEM: (Role.USER,), Role.USER: (Role.ASSISTANT,)}
        if label.role in allowed.get(before, (Role.USER,)):
            kept.append(label)
        else:
            line = lines.of(label.start)
            problems.append((line, f"`{label.shown}` is out of turn here and was read as text."))
    return kept, tuple(problems)


def _text_span(text: str, label: _Label, end: int) -> tuple[int, int]:
    first, last = label.text_start, trimmed(text, label.text_start, end)[1]
    blank_line = re.compile(r"(?:[ \t]*\r?\n)+")
    skipped = blank_line.match(text, first, last)
    return (skipped.end() if skipped else first), last


FORMAT = TextFormat(
    name="labels",
    summary="User: and Assistant: (also Human/AI, Q/A, Prompt/Response) at the start of lines",
    examples=(
        Example(
            "labels.txt",
            "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light more than red.\n",
        ),
    ),
    read=read_labels,
    prose=True,
)
