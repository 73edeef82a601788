"""A file with one message a line is one conversation; a file with other lines is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import read
from transcripts.talks import fronts, lines
from transcripts.transcript_checks import assert_escaped, readable, texts

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
messages = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), texts), max_size=6)


@given(messages, fronts, st.booleans())
def test_messages_on_lines_are_read_back_exactly(drawn: list[tuple[str, str]], front: str, ascii_only: bool) -> None:
    every = [("user", "q"), *drawn, ("assistant", "a")]
    text = lines([{"role": role, "content": said} for role, said in every], front, ascii_only=ascii_only)
    found = readable(text)
    assert (found.format, len(found.conversations), found.problems) == ("message-lines", 1, ())
    assert [(turn.role.value, turn.text) for turn in found.conversations[0]] == [
        (role, said.replace("\r\n", "\n")) for role, said in every
    ]
    assert_escaped(text, found)


@pytest.mark.parametrize(
    "other",
    [
        {"role": "nobody", "content": "x"},
        {"role": "user", "content": "x", "conversation_id": "2"},
        {"role": "user"},
        {"level": "info", "message": "x"},
        ["x"],
    ],
)
def test_a_line_that_is_no_message_makes_the_file_no_conversation(other: object) -> None:
    assert read(lines([USER, ANSWER, other])) is None


@pytest.mark.parametrize("lone", [USER, ANSWER])
def test_one_side_alone_is_no_conversation(lone: dict[str, Any]) -> None:
    assert read(lines([lone, lone])) is None
    assert read(json.dumps(lone)) is None


def test_a_line_that_is_no_json_is_told() -> None:
    found = readable(lines([USER, ANSWER]) + '{"role": "user", "content": \n' + lines([USER, ANSWER]))
    assert found.format == "message-lines"
    assert [line for line, _ in found.problems] == [3]


def test_the_format_can_be_named() -> None:
    found = readable(lines([USER, {"note": "x"}, ANSWER]), format="message-lines")
    assert [response.text for response in found.responses] == ["a"]
    assert [line for line, _ in found.problems] == [2]
    with pytest.raises(TranscriptError, match="No record in the file has the shape"):
        read('{"a": 1}', format="message-lines")
