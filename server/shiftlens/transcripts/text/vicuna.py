"""Text as Vicuna and Guanaco are prompted: `USER: ... ASSISTANT: ...</s>USER: ...`, turns on one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    Problem,
    Reading,
    Said,
    after_blanks,
    check_turns,
    line_number,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.text.endings import end_marker

_PAIRS = (
    ("### Human:", "### Assistant:"),
    ("### User:", "### Assistant:"),
    ("USER:", "ASSISTANT:"),
    ("Human:", "Assistant:"),
    ("User:", "Assistant:"),
)
_END = "</s>"


@dataclass(frozen=True, slots=True)
class _Mark:
    role: Role
    start: int
    text_start: int


def read_vicuna(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as turns that follow each other on one line; None where it is not that.

    The first line holds the mark of a question and that of its answer. A system prompt may stand before the first mark
    where answers end with `</s>`. In such files a question begins after `</s>` only; in others wherever its mark
    stands after a space or a newline. Blanks around a turn are no text.
    """
    begin = after_blanks(text, start)
    begin += len("<s>") if text.startswith("<s>", begin) else 0
    found = _first(text, begin, forced)
    if found is None:
        if not forced:
            return None
        raise TranscriptError(
            "There is no line with `USER:` and `ASSISTANT:` after it.", "Begin the turns so, or choose another format."
        )
    at, pair = found
    marks = list(_marks(text, at, pair))
    check_turns(len(marks))
    said: list[Said] = []
    if text[begin:at].strip():
        said.append(Said(verbatim_turn(Role.SYSTEM, text, *trimmed(text, begin, at))))
    for number, mark in enumerate(marks):
        past = marks[number + 1].start if number + 1 < len(marks) else len(text)
        first, last = trimmed(text, mark.text_start, past)
        ending = end_marker(text, first, last)
        if ending:
            last = max(first, trimmed(text, first, ending[1])[1])
        is_answer = mark.role is Role.ASSISTANT
        said.append(Said(verbatim_turn(mark.role, text, first, last), ending[0] if ending and is_answer else None))
    problems: tuple[Problem, ...] = ()
    if marks[-1].role is Role.USER:
        problems = ((line_number(text, marks[-1].start), f"The last `{pair[0]}` has no answer after it."),)
    answers = sum(mark.role is Role.ASSISTANT for mark in marks)
    evidence = f"{answers} `{pair[1]}` on the line of `{pair[0]}`"
    return Reading(evidence, (Conversation(tuple(said)),), problems)


def _first(text: str, begin: int, forced: bool) -> tuple[int, tuple[str, str]] | None:
    """Where the first question begins, and how the sides are spelled."""
    newline = text.find("\n", begin)
    line_end = newline if newline >= 0 else len(text)
    for pair in _PAIRS:
        at = text.find(pair[0], begin, line_end)
        if at < 0 or (at > begin and text[at - 1] not in " \t"):
            continue
        if not forced and at > begin and not (pair[0].isupper() and text.find(_END, at) >= 0):
            continue
        if _answer_mark(text, at + len(pair[0]), line_end, pair[1]) >= 0:
            return at, pair
    return None


def _answer_mark(text: str, start: int, end: int, mark: str) -> int:
    at = text.find(mark, start, end)
    while at >= 0 and not (mark.startswith("#") or text[at - 1] in " \t\r\n"):
        at = text.find(mark, at + 1, end)
    return at


def _marks(text: str, start: int, pair: tuple[str, str]) -> Iterator[_Mark]:
    """The marks that take turns, from the first question on."""
    asks = re.escape(pair[0])
    if text.find(_END, start) >= 0:
        question = re.compile(rf"(?<={_END})[ \t\r\n]*({asks})")
    else:
        question = re.compile(rf"({asks})" if pair[0].startswith("#") else rf"(?<=[ \t\n])({asks})")
    at, role = start, Role.USER
    while at >= 0:
        after = at + len(pair[0] if role is Role.USER else pair[1])
        yield _Mark(role, at, after)
        if role is Role.USER:
            at, role = _answer_mark(text, after, len(text), pair[1]), Role.ASSISTANT
        else:
            following = question.search(text, after)
            at, role = (following.start(1) if following else -1), Role.USER


FORMAT = TextFormat(
    name="vicuna",
    summary="Vicuna and Guanaco text: USER: query ASSISTANT: response</s> on one line",
    examples=(
        Example(
            "vicuna.txt",
            "A chat between a curious user and an assistant. USER: Why is the sky blue? ASSISTANT: Great question! Air"
            " scatters blue light more than red.</s>\n",
        ),
    ),
    read=read_vicuna,
    prose=True,
)
