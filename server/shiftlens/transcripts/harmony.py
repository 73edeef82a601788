"""Messages of the Harmony format (gpt-oss): `<|start|>assistant<|channel|>analysis<|message|>...<|end|>`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.transcripts.model import PartKind, ToolCall

_HEADER = r"(?P<rest>(?:[^<\n]|<\|channel\|>|<\|constrain\|>){0,300})<\|message\|>"
_MESSAGE = re.compile(rf"<\|start\|>(?P<role>[^\s<|]+){_HEADER}")
_FIRST = re.compile(rf"(?P<role>){_HEADER}")
_END = re.compile(rf"<\|(?:end|return|call|eot|eom)\|>|(?=<\|start\|>[^\s<|]+{_HEADER})")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_SPEAKER = re.compile(r"(?!to=)[^\s<]+")
_RECIPIENT = re.compile(r"(?:^|\s)to=([^\s<]+)")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream. Its text is at [text_start, text_end), `end` is just past its end marker.

    `role` is "" for a first message whose `<|start|>assistant` was in the prompt; `marks_start` is where the marks
    begin that the speaker chose: right after the role.
    """

    role: str
    start: int
    marks_start: int
    text_start: int
    text_end: int
    end: int
    end_marker: str
    channel: str
    recipient: str
    speaker: str

    @property
    def kind(self) -> PartKind:
        """What an assistant's message is: channel and recipient say it."""
        if self.recipient == "self":
            return PartKind.REASONING
        if self.recipient not in ("", "user", "all"):
            return PartKind.TOOL_CALL
        return PartKind.REASONING if self.channel == "analysis" else PartKind.TEXT


def message_at(text: str, at: int, *, first: bool = False) -> Message | None:
    """The message that begins at `at`; None where none does. `first` says that it has no `<|start|>`."""
    header = _MESSAGE.match(text, at) or (_FIRST.match(text, at) if first else None)
    if header is None:
        return None
    channel, recipient = _CHANNEL.search(header["rest"]), _RECIPIENT.search(header["rest"])
    speaker = _SPEAKER.match(header["rest"].strip())
    end = _END.search(text, header.end())
    return Message(
        header["role"],
        at,
        header.end("role"),
        header.end(),
        end.start() if end else len(text),
        end.end() if end else len(text),
        end[0] if end else "",
        channel[1] if channel else "",
        recipient[1] if recipient else "",
        speaker[0] if speaker else "",
    )


def call_of(text: str, message: Message) -> ToolCall:
    """The call that a message to a tool is. The arguments are its text."""
    name = message.recipient.removeprefix("functions.")
    return ToolCall(name, text[message.text_start : message.text_end])


def pieces(text: str, messages: Sequence[Message]) -> list[tuple[int, PartKind, ToolCall | None]]:
    """Where each of the messages of one turn ends, with the marks that belong to it, and what it is.

    Marks before reasoning and calls belong to these, marks before an answer to what is before it.
    """
    found: list[tuple[int, PartKind, ToolCall | None]] = []
    for at, message in enumerate(messages):
        kind = message.kind
        end = message.text_end
        following = messages[at + 1] if at + 1 < len(messages) else None
        if kind is not PartKind.TEXT and following and following.kind is PartKind.TEXT:
            end = following.text_start
        found.append((end, kind, call_of(text, message) if kind is PartKind.TOOL_CALL else None))
    return found


def harmony_parts(text: str) -> list[tuple[int, PartKind, ToolCall | None]]:
    """The parts of an answer that is a stream of messages, as a model wrote it; empty for any other.

    The end marker of the last message stays with it.
    """
    if not text.startswith(("<|channel|>", "<|start|>assistant")):
        return []
    messages: list[Message] = []
    at = 0
    while at < len(text):
        message = message_at(text, at, first=at == 0)
        if message is None or message.role not in ("", "assistant"):
            return []
        messages.append(message)
        at = message.end
    found = pieces(text, messages)
    found[-1] = (len(text), *found[-1][1:])
    if messages[0].kind is PartKind.TEXT:
        found.insert(0, (messages[0].text_start, PartKind.REASONING, None))
    return found
