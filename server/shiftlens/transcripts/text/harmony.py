"""Harmony text (gpt-oss): a turn of the assistant is several messages, each in a channel or to a tool."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import BLANK, Reading, after_blanks, passage, without_last_newline
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.harmony import Message, message_at, pieces
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES
from shiftlens.transcripts.text.rendered import Rendered

_SIGN = "<|start|>"
_PROMPT = re.compile(r"<\|start\|>assistant[^\n]{0,300}\Z")
_TOOL_OUTPUT = re.compile(r"<tool_output name=\"[^\"\n]*\">\r?\n(.*?)\r?\n</tool_output>\Z", re.DOTALL)


def read_harmony(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as Harmony messages; None where it does not begin with one.

    The messages of the assistant up to another speaker's are one turn: the analysis is its reasoning, messages to
    tools are its calls, and the final message is its answer. Marks before reasoning and calls belong to these, those
    between them and an answer too, so that the parts join as the model wrote them; a second answer in a row begins a
    turn of its own. Raises TranscriptError where `forced` text has no message, and for a conversation too long.
    """
    at = after_blanks(text, start)
    if forced and not message_at(text, at):
        at = max(at, text.find(_SIGN, at))
    if message_at(text, at) is None:
        if not forced:
            return None
        raise TranscriptError(
            f"There is no `{_SIGN}role<|message|>` in the file, so it is no Harmony text.", "Choose another format."
        )
    rendered = Rendered(text)
    rendered.begin(at)
    answering: list[Message] = []
    while at < len(text):
        message = message_at(text, at)
        if message is None:
            following = text.find(_SIGN, at + 1)
            following = len(text) if following < 0 else following
            if text[at:following].strip(BLANK) and not _PROMPT.match(text, at):
                rendered.problem(after_blanks(text, at), "Text outside of the messages was left out.")
            at = following
            continue
        at = after_blanks(text, message.end)
        if message.role == "assistant":
            if answering and answering[-1].kind is message.kind is PartKind.TEXT:
                _answer(rendered, answering)
                answering = []
            answering.append(message)
            continue
        _answer(rendered, answering)
        answering = []
        _other(rendered, message)
    _answer(rendered, answering)
    return rendered.reading(f"`{_SIGN}` message turn")


def _answer(rendered: Rendered, messages: Sequence[Message]) -> None:
    """Take the turn that some messages of the assistant are."""
    if not messages:
        return
    text, last = rendered.text, messages[-1]
    first = messages[0].text_start if messages[0].kind is PartKind.TEXT else messages[0].marks_start
    parts: list[Part] = []
    at = first
    for end, kind, call in pieces(text, messages):
        if end == len(text):
            end = max(at, without_last_newline(text, at, end))
        if end > at or not parts:
            parts.append(Part(kind, *passage(text, at, end), marked=kind is not PartKind.TEXT, call=call))
        at = end
    turn = Turn(Role.ASSISTANT, tuple(parts))
    rendered.turn(Role.ASSISTANT, turn, first, last.end_marker or None, header=messages[0].start)


def _other(rendered: Rendered, message: Message) -> None:
    """Take a turn of anyone but the assistant. Who is no role and speaks to the assistant is a tool."""
    text = rendered.text
    role = TEMPLATE_ROLES.get(message.role)
    name = message.speaker
    if role is None and (message.recipient == "assistant" or message.channel == "commentary" or "." in message.role):
        role, name = Role.TOOL, message.role.removeprefix("functions.")
    if role is None:
        rendered.problem(message.start, f"The Harmony role {message.role!r} is not known; the turn was left out.")
        return
    output = _TOOL_OUTPUT.match(text, message.text_start, message.text_end) if role is Role.TOOL else None
    span = output.span(1) if output else (message.text_start, message.text_end)
    turn = replace(Turn.of(role, *passage(text, *span)), name=name)
    rendered.turn(role, turn, message.text_start, message.end_marker or None, header=message.start)


FORMAT = TextFormat(
    name="harmony",
    summary="Harmony text (gpt-oss): <|start|>role<|channel|>channel<|message|> ... <|end|>",
    examples=(
        Example(
            "harmony.txt",
            "<|start|>user<|message|>Why is the sky blue?<|end|>"
            "<|start|>assistant<|channel|>analysis<|message|>Air scatters.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>"
            "Great question! Air scatters blue light more than red.<|return|>\n",
        ),
    ),
    read=read_harmony,
)
