"""A conversation as the models need it: who said what, without the places in a file."""

from __future__ import annotations

import re

import msgspec

from shiftlens.transcripts.model import Response

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class ContextTurn(msgspec.Struct, frozen=True):
    """One turn before the response. `role` is a value of `transcripts.Role`."""

    role: str
    text: str


class ResponseToScore(msgspec.Struct, frozen=True, kw_only=True):
    """A response and what came before it, without its place in the file."""

    turns: tuple[ContextTurn, ...]
    text: str
    source_format: str
    verbatim_prefix: str | None = None
    end_marker: str | None = None


def to_score(response: Response, source_format: str) -> ResponseToScore:
    """What the engine needs of a response of a transcript."""
    return ResponseToScore(
        turns=tuple(ContextTurn(turn.role.value, well_formed(turn.text)) for turn in response.context),
        text=well_formed(response.text),
        source_format=source_format,
        verbatim_prefix=None if response.verbatim_prefix is None else well_formed(response.verbatim_prefix),
        end_marker=response.end_marker,
    )


def well_formed(text: str) -> str:
    """The text with each lone surrogate, which no tokenizer takes, shown as U+FFFD (as long in UTF-8)."""
    return _LONE_SURROGATE.sub("\ufffd", text)
