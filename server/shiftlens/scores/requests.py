"""A conversation as the models need it: who said what, without the places in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from shiftlens.transcripts.model import Response, Turn

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class ContextPart(msgspec.Struct, frozen=True):
    """A part of a turn. `kind` is a value of `transcripts.PartKind`; see `transcripts.Part` for `marked`.

    `call` is the name, the arguments and the id of a tool call, None for what is none.
    """

    kind: str
    text: str
    marked: bool = False
    call: tuple[str, str, str] | None = None


class ContextTurn(msgspec.Struct, frozen=True):
    """One turn before the response. `role` is a value of `transcripts.Role`."""

    role: str
    parts: tuple[ContextPart, ...]
    name: str = ""
    call_id: str = ""

    @classmethod
    def of(cls, role: str, text: str) -> ContextTurn:
        """The turn that is one text."""
        return cls(role, (ContextPart("tool_result" if role == "tool" else "text", text),))

    @property
    def text(self) -> str:
        """What was said, without reasoning and tool calls."""
        return _said(self.parts)


class ResponseToScore(msgspec.Struct, frozen=True, kw_only=True):
    """A response and what came before it, without its place in the file (see `transcripts.Response`)."""

    turns: tuple[ContextTurn, ...]
    parts: tuple[ContextPart, ...]
    source_format: str
    verbatim_prefix: str | None = None
    end_marker: str | None = None
    tools: str = ""

    @property
    def text(self) -> str:
        """The answer alone, without reasoning and tool calls."""
        return _said(self.parts)


def one_text(text: str) -> tuple[ContextPart, ...]:
    """The parts of a response that is one text."""
    return (ContextPart("text", text),)


def to_score(response: Response, source_format: str) -> ResponseToScore:
    """What the engine needs of a response of a transcript."""
    return ResponseToScore(
        turns=tuple(
            ContextTurn(turn.role.value, _parts(turn), well_formed(turn.name), well_formed(turn.call_id))
            for turn in response.context
        ),
        parts=_parts(response.turn),
        source_format=source_format,
        verbatim_prefix=None if response.verbatim_prefix is None else well_formed(response.verbatim_prefix),
        end_marker=response.end_marker,
        tools=well_formed(response.tools),
    )


def _parts(turn: Turn) -> tuple[ContextPart, ...]:
    return tuple(
        ContextPart(
            part.kind.value,
            well_formed(part.text),
            part.marked,
            None
            if part.call is None
            else (well_formed(part.call.name), well_formed(part.call.arguments), well_formed(part.call.id)),
        )
        for part in turn.parts
    )


def _said(parts: Iterable[ContextPart]) -> str:
    return "".join(part.text for part in parts if part.kind in ("text", "tool_result"))


def well_formed(text: str) -> str:
    """The text with each lone surrogate, which no tokenizer takes, shown as U+FFFD (as long in UTF-8)."""
    return _LONE_SURROGATE.sub("\ufffd", text)
