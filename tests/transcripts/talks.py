"""Conversations with reasoning and tools that hypothesis draws, and the shape in which readings are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import strategies as st

from shiftlens.transcripts import Transcript
from transcripts.transcript_checks import texts

Parts = list[tuple[str, str]]
Shape = list[tuple[str, Parts]]

filled = texts.filter(bool)
fronts = st.sampled_from(["", "\ufeff", "---\ntitle: é 😀\n---\n", "\ufeff---\r\ntitle: x\r\n---\r\n"])


class Round(NamedTuple):
    """A question, what the model thought, the calls that it made with what they gave, and its answer."""

    question: str
    thought: str
    calls: list[tuple[str, str]]
    answer: str


def talks(*, thoughts: bool = True, calls: bool = True) -> st.SearchStrategy[list[Round]]:
    """Conversations of one to three rounds. A round without a thought has "" there."""
    thought = texts if thoughts else st.just("")
    used = st.lists(st.tuples(filled, filled), max_size=2) if calls else st.just([])
    return st.lists(st.builds(Round, filled, thought, used, filled), min_size=1, max_size=3)


def expected(talk: list[Round], system: str = "") -> Shape:
    """The turns of a conversation: the thought stands in the assistant's first turn of its round; CRLF is a newline."""
    turns: Shape = [("system", [("text", system)])] if system else []
    for each in talk:
        turns.append(("user", [("text", each.question)]))
        before: Parts = [("reasoning", each.thought)] if each.thought else []
        if each.calls:
            turns.append(("assistant", before + [("tool_call", arguments) for arguments, _ in each.calls]))
            turns += [("tool", [("tool_result", result)]) for _, result in each.calls]
            before = []
        turns.append(("assistant", [*before, ("text", each.answer)]))
    return [(role, [(kind, text.replace("\r\n", "\n")) for kind, text in parts]) for role, parts in turns]


def shapes(transcript: Transcript) -> list[Shape]:
    """Every conversation that was read, as roles with kinds and texts of parts."""
    return [
        [(turn.role.value, [(part.kind.value, part.text) for part in turn.parts]) for turn in turns]
        for turns in transcript.conversations
    ]


def lines(records: Iterable[object], front: str = "", *, ascii_only: bool = True) -> str:
    """Records as JSON, one a line."""
    return front + "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)


def dumped(value: object, front: str = "", *, ascii_only: bool = True) -> str:
    """A value as JSON on several lines."""
    return front + json.dumps(value, ensure_ascii=ascii_only, indent=1)
