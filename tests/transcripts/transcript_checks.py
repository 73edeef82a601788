"""What every reading must satisfy, and the texts that hypothesis draws."""

from __future__ import annotations

import json
import re

from hypothesis import strategies as st

from shiftlens.transcripts import Part, Transcript, read

AWKWARD = ["\u2028", "\x00", "\r\n", "\n", "\r", "😀", "e\u0301", "שלום", "\u202e", "\x85", "\x1c", "\t", "```", "---"]
_MARK = re.compile(r"think|tool|function=|python_tag|channel|<\|start|action", re.IGNORECASE)


def is_unmarked(text: str) -> bool:
    """Whether it has no mark of reasoning or a tool call. Hypothesis draws such from the readers' own code too."""
    return not _MARK.search(text)


texts = (
    st.lists(st.one_of(st.sampled_from(AWKWARD), st.text(max_size=8)), max_size=8)
    .map(lambda pieces: _MARK.sub("", "".join(pieces)))
    .filter(is_unmarked)
)
"""Texts without marks of reasoning and tool calls, which part turns (see test_marks)."""


def conversations(turn_texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Question-answer pairs, no answer empty."""
    return st.lists(st.tuples(turn_texts, turn_texts.filter(bool)), min_size=1, max_size=3)


def readable(
    text: str,
    *,
    filename: str | None = None,
    format: str | None = None,  # noqa: A002 (as `read` has it)
) -> Transcript:
    found = read(text, filename=filename, format=format)
    assert found is not None
    return found


def decoded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the reader gives for these texts: CRLF is one newline."""
    return [(question.replace("\r\n", "\n"), answer.replace("\r\n", "\n")) for question, answer in pairs]


def said(transcript: Transcript) -> list[tuple[str, str]]:
    """The last question before each response, with the response."""
    return [(r.context[-1].text, r.text) for r in transcript.responses]


def assert_verbatim(text: str, transcript: Transcript) -> None:
    for part in _parts(transcript):
        source = part.source
        assert source.decoded_length == len(part.text)
        for i, character in enumerate(part.text):
            written = text[source.start_of(i) : source.end_of(i)]
            assert ("\n" if written == "\r\n" else written) == character
            assert written != "\n" or text[source.start_of(i) - 1] != "\r"


def assert_escaped(text: str, transcript: Transcript) -> None:
    for part in _parts(transcript):
        source = part.source
        assert source.decoded_length == len(part.text)
        for i, character in enumerate(part.text):
            start, end = source.start_of(i), source.end_of(i)
            if start == end:
                assert part.text == "\n"  # Readers set it between two texts of a question.
                continue
            written = json.loads(f'"{text[start:end]}"')
            assert ("\n" if written == "\r\n" else written) == character
            assert written != "\n" or not part.text.endswith("\r", 0, i)


def _parts(transcript: Transcript) -> list[Part]:
    turns = [turn for response in transcript.responses for turn in (*response.context, response.turn)]
    return [part for turn in turns for part in turn.parts]
