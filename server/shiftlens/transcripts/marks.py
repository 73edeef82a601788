"""Reasoning and tool calls that a model's text spells between marks, such as `<think>` and `<tool_call>`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from shiftlens.text.source_map import slice_of
from shiftlens.transcripts.conversation import BLANK, Conversation, after_blanks
from shiftlens.transcripts.harmony import harmony_parts
from shiftlens.transcripts.marked_calls import (
    Call,
    deepseek_calls,
    function_calls,
    gemma_calls,
    hermes_calls,
    json_calls,
    kimi_calls,
    mistral_calls,
    python_calls,
)
from shiftlens.transcripts.model import Part, PartKind, Role, ToolCall, Turn
from shiftlens.transcripts.text.fences import Fences

_REASONING = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<thinking>", "</thinking>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought\n", "<channel|>"),
)
"""Marks around reasoning. They count only where a turn opens with them."""

_AFTER_REASONING = re.compile(r"[ \t\r\n]*(?:<\|START_RESPONSE\|>)?")
_CLOSING = "</think>"


@dataclass(frozen=True, slots=True)
class _CallMark:
    """Marks around tool calls. `closing` is "" where the calls run to the end of the turn.

    `begins` is what follows the opening mark where it opens a call, and not in a sentence about it. Marks of one token
    may follow text on its line; the others begin a line.
    """

    opening: str
    closing: str
    begins: re.Pattern[str]
    calls: Callable[[str], list[Call]]
    one_token: bool = True


def _begins(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\s*(?:{pattern}|\Z)")


_CALLS = (
    _CallMark(
        "<tool_call>",
        "</tool_call>",
        _begins(r"\{|\[\s*\{|<function=|[\w.:/-]{1,200}\s*(?:<arg_key>|\n\s*</tool_call>)"),
        hermes_calls,
        one_token=False,
    ),
    _CallMark("<function=", "</function>", re.compile(r"[\w.:/-]+>"), function_calls, one_token=False),
    _CallMark("[TOOL_CALLS]", "", _begins(r"\[\s*\{|[\w.:/-]{1,200}\s*(?:\{|\[ARGS\]|\[CALL_ID\])"), mistral_calls),
    _CallMark("<|python_tag|>", "", _begins(r"\S"), python_calls, one_token=False),
    _CallMark("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", _begins("<｜tool▁call▁begin｜>"), deepseek_calls),
    _CallMark(
        "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", _begins(r"<\|tool_call_begin\|>"), kimi_calls
    ),
    _CallMark("<|tool_call_start|>", "<|tool_call_end|>", _begins(r"\["), python_calls),
    _CallMark("<|START_ACTION|>", "<|END_ACTION|>", _begins(r"\["), json_calls),
    _CallMark("<|tool_call>", "<tool_call|>", _begins("call:"), gemma_calls),
    _CallMark("<|tool_call|>", "<|/tool_call|>", _begins(r"[\[{]"), json_calls),
)
_OPENING = re.compile("|".join(re.escape(mark.opening) for mark in _CALLS))
_BY_OPENING = {mark.opening: mark for mark in _CALLS}
_QUOTES = "`'\"“‘«"

_Piece = tuple[int, PartKind, "ToolCall | None"]
"""Where a span of a text ends, and what it is."""


def marked_parts(turn: Turn) -> Turn:
    """An assistant's turn with a part of its own for what stands between marks in its text; other turns as they are.

    Marks belong to the marked part, as do the blanks around them, so that the texts of the parts join to the text of
    the turn as it was. Reasoning is taken only where the turn opens with it: a `<think>` further on is text, one that
    is never closed is all reasoning, and what comes before a lone `</think>` that ends a line or begins one is the
    reasoning of a turn whose prompt opened it. Calls in fenced code and in quotes are text.
    """
    if turn.role is not Role.ASSISTANT:
        return turn
    parts: list[Part] = []
    for part in turn.parts:
        if part.kind is PartKind.TEXT and not part.marked:
            opens = all(before.kind is PartKind.REASONING for before in parts)
            parts += _pieces_of(part, opens)
        else:
            parts.append(part)
    return turn if len(parts) == len(turn.parts) and parts == list(turn.parts) else replace(turn, parts=tuple(parts))


def with_marked_parts(conversation: Conversation) -> Conversation:
    """The conversation with the marked parts of all its turns."""
    return replace(conversation, said=tuple(replace(said, turn=marked_parts(said.turn)) for said in conversation.said))


def _pieces_of(part: Part, opens: bool) -> list[Part]:
    found: list[Part] = []
    start = 0
    for end, kind, call in _pieces(part.text, opens):
        if end > start:
            text, source = slice_of(part.text, part.source, start, end)
            marked = kind is not PartKind.TEXT
            found.append(Part(kind, text, source, marked=marked, call=call))
            start = end
    return found if any(each.marked for each in found) else [part]


def _pieces(text: str, opens: bool) -> Iterator[_Piece]:
    """The spans of a text, in order; they leave nothing out."""
    if opens:
        harmony = harmony_parts(text)
        if harmony:
            yield from harmony
            return
    start = _reasoning_end(text) if opens else 0
    if start:
        yield start, PartKind.REASONING, None
    yield from _call_pieces(text, start)


def _reasoning_end(text: str) -> int:
    """Where the reasoning ends with which a turn opens; 0 where it opens with none."""
    end = 0
    while True:
        at = after_blanks(text, end)
        marks = next((marks for marks in _REASONING if text.startswith(marks[0], at)), None)
        if marks is None:
            break
        closing = text.find(marks[1], at + len(marks[0]))
        if closing < 0:
            return len(text)
        end = _after(text, closing + len(marks[1]))
    return end or _end_of_opened_reasoning(text)


def _end_of_opened_reasoning(text: str) -> int:
    """Where reasoning ends that the prompt had opened, so that the turn has only the closing mark; else 0."""
    at = text.find(_CLOSING)
    if at < 0 or "<think>" in text or text.find(_CLOSING, at + 1) >= 0:
        return 0
    before, after = text[:at], text[at + len(_CLOSING) :]
    begins_line = before.rstrip(" \t").endswith("\n") or not before.strip()
    ends_line = not after.strip(" \t") or after.lstrip(" \t")[:1] in "\r\n"
    joined = bool(before and after) and not (before[-1].isspace() or after[0].isspace())
    if not (begins_line or ends_line or joined) or text[at - 1 : at] in (*_QUOTES,) or _Code(text, 0).holds(at):
        return 0
    return _after(text, at + len(_CLOSING))


def _call_pieces(text: str, start: int) -> Iterator[_Piece]:
    """The rest of a text from `start` on, where the part before it ends."""
    done, at = start, start
    code = _Code(text, start)
    while (found := _OPENING.search(text, at)) is not None:
        mark = _BY_OPENING[found[0]]
        at = found.end()
        if not _may_open(text, mark, found.start(), done) or code.holds(found.start()):
            continue
        end = _call_end(text, mark, found.end())
        before = done + len(text[done : found.start()].rstrip(BLANK))
        if before > done:
            yield before, PartKind.TEXT, None
        calls = _calls(text, mark, found, end)
        done = at = after_blanks(text, end)
        for stop, call in calls[:-1]:
            yield stop, PartKind.TOOL_CALL, call
        yield done, PartKind.TOOL_CALL, calls[-1][1]
    if done < len(text):
        yield len(text), PartKind.TEXT, None


def _may_open(text: str, mark: _CallMark, at: int, done: int) -> bool:
    """Whether a mark at `at` is the model's own, not a quotation. `done` is where the part before it ends."""
    before = at
    while before > done and text[before - 1] in " \t":
        before -= 1
    begins_line = before == done or text[before - 1] == "\n"
    opens = begins_line or (mark.one_token and text[at - 1] not in _QUOTES)
    return opens and mark.begins.match(text, at + len(mark.opening)) is not None


def _call_end(text: str, mark: _CallMark, first: int) -> int:
    """Where the marked span ends whose text begins at `first`. A call that is not closed was cut off."""
    ending = text.find(mark.closing or mark.opening, first)
    return len(text) if ending < 0 else ending + len(mark.closing)


def _calls(text: str, mark: _CallMark, found: re.Match[str], end: int) -> list[Call]:
    """The calls between the marks, with their ends as offsets in the text."""
    whole = mark.opening == "<function="
    first = found.start() if whole else found.end()
    closed = bool(mark.closing) and not whole and text.endswith(mark.closing, first, end)
    body = text[first : end - len(mark.closing) if closed else end]
    return [(first + stop, call) for stop, call in mark.calls(body)]


class _Code:
    """Which lines of text[start:] stand in fenced code. They are looked for when first asked for."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._fences: Fences | None = None

    def holds(self, at: int) -> bool:
        """Whether the line of `at` is fenced."""
        if self._fences is None:
            self._fences = Fences(self._text, self._start, ())
        return self._fences.holds(max(self._start, self._text.rfind("\n", 0, at) + 1))


def _after(text: str, end: int) -> int:
    after = _AFTER_REASONING.match(text, end)
    return after.end() if after else end
