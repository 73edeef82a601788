"""An assistant's turn that gives its reasoning under a heading of its own."""

from __future__ import annotations

import re

from shiftlens.transcripts.conversation import passage, trimmed
from shiftlens.transcripts.model import Part, PartKind
from shiftlens.transcripts.roles import ANSWER_HEADINGS, REASONING_NAMES
from shiftlens.transcripts.text.between import Headings

BLANK_LINES = re.compile(r"(?:[ \t\r]*\n)*")


def answer_parts(text: str, start: int, end: int, headings: Headings) -> list[Part]:
    """The parts of the answer text[start:end].

    An answer that begins with a heading such as `### Thinking`, and has one such as `### Answer` of the same level
    below, gives its reasoning under the first. The two headings are no text. Anything else is one text.
    """
    thinking = headings.at(start)
    if thinking and thinking.words.lower() in REASONING_NAMES:
        for answer in headings.between(thinking.text_start, end):
            if answer.level == thinking.level and answer.words.lower() in ANSWER_HEADINGS:
                reasoning = passage(text, *text_span(text, thinking.text_start, answer.start))
                said = passage(text, *text_span(text, answer.text_start, end))
                return [Part(PartKind.REASONING, *reasoning), Part(PartKind.TEXT, *said)]
    return [Part(PartKind.TEXT, *passage(text, start, end))]


def text_span(text: str, start: int, end: int) -> tuple[int, int]:
    """[start, end) without the blank lines around it; the first line keeps its indentation."""
    last = trimmed(text, start, end)[1]
    blank = BLANK_LINES.match(text, start, last)
    return (blank.end() if blank else start), last
