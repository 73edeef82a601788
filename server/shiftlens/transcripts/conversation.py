"""What the reader of each format hands back, and how it becomes responses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.transcripts.model import Before, Response, Role, Turn


@dataclass(frozen=True, slots=True)
class Said:
    """A turn with what only an assistant's turn has: its end marker and the file's own text before it.

    `scored` is False for an assistant's turn that is part of the prompt, such as a few-shot example.
    """

    turn: Turn
    end_marker: str | None = None
    verbatim_prefix: str | None = None
    scored: bool = True


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that one model saw together. `tools`, `label`, `notes` and `without_prompt` are those of its responses (see
    `Response`)."""

    said: tuple[Said, ...]
    tools: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    without_prompt: str = ""


Problem = tuple[int, str]
"""A 1-based line and what could not be read there, in whole sentences."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The conversations of a file, what gave the format away, and the parts that could not be read."""

    detected_by: str
    conversations: tuple[Conversation, ...]
    problems: tuple[Problem, ...] = ()


def passage(text: str, start: int, end: int) -> tuple[str, SourceMap]:
    """What text[start:end] says, and where each of its characters stands: CRLF is one newline, "\\n".

    A lone CR is a character like any other.
    """
    lines = text[start:end].split("\r\n")
    if len(lines) == 1:
        return lines[0], SourceMap.verbatim(start, end - start)
    segments: list[Segment] = []
    decoded, source = 0, start
    for number, line in enumerate(lines):
        if number:
            segments.append(Segment(decoded, 1, source, 2))
            decoded, source = decoded + 1, source + 2
        if line:
            segments.append(Segment(decoded, len(line), source, len(line)))
            decoded, source = decoded + len(line), source + len(line)
    return "\n".join(lines), SourceMap(start, tuple(segments))


def with_lf(text: str) -> str:
    """The text with LF for each CRLF: what a model is given of it."""
    return text.replace("\r\n", "\n")


def verbatim_turn(role: Role, text: str, start: int, end: int) -> Turn:
    """The turn that says text[start:end], CRLF as one newline."""
    return Turn.of(role, *passage(text, start, end))


def responses(conversations: Iterable[Conversation]) -> tuple[Response, ...]:
    """Every assistant turn that has text, reasoning or a tool call, with the turns before it; numbered in the file.

    An assistant's turn without any of these can't be scored. It stays in the context of the later ones.
    """
    found: list[Response] = []
    for number, conversation in enumerate(conversations):
        check_turns(len(conversation.said))
        turns = tuple(said.turn for said in conversation.said)
        for at, said in enumerate(conversation.said):
            if _is_response(said):
                found.append(
                    Response(
                        len(found),
                        Before(turns, at),
                        said.turn,
                        said.end_marker,
                        said.verbatim_prefix,
                        conversation=number,
                        turn_index=at,
                        tools=conversation.tools,
                        label=conversation.label,
                        notes=conversation.notes,
                        without_prompt=conversation.without_prompt,
                    )
                )
    return tuple(found)


def _is_response(said: Said) -> bool:
    return said.turn.role is Role.ASSISTANT and said.scored and any(part.text for part in said.turn.parts)


def first_conversations(
    text: str, conversations: Iterable[Conversation]
) -> tuple[tuple[Conversation, ...], tuple[Problem, ...]]:
    """The conversations of a file up to MAX_RESPONSES responses, and what the user is told where there are more.

    A response takes a kilobyte, and four bytes in a file.
    """
    kept: list[Conversation] = []
    count = 0
    for conversation in conversations:
        count += sum(map(_is_response, conversation.said))
        if count > MAX_RESPONSES:
            line = line_number(text, min(said.turn.source_start for said in conversation.said))
            told = (
                f"The file has more than {MAX_RESPONSES:,} responses, which are the most that are read of one; the"
                " conversations from here on were left out. Split the file."
            )
            return tuple(kept), ((line, told),)
        kept.append(conversation)
    return tuple(kept), ()


MAX_RESPONSES = 100_000
MAX_TURNS = 10_000
MAX_PREFIX_CHARACTERS = 500_000_000


def check_turns(turns: int, characters: int = 0) -> None:
    """Raise TranscriptError for a conversation too long to score, before its contexts are built.

    `characters` is the length of the texts before responses of which each is held on its own (see `verbatim_prefix`):
    memory grows with turns x these.
    """
    if turns > MAX_TURNS or turns * characters > MAX_PREFIX_CHARACTERS:
        raise TranscriptError(
            f"One conversation of {turns:,} turns is too long; the limit is {MAX_TURNS:,}, fewer in a large file.",
            "Split the file.",
        )


def line_number(text: str, offset: int) -> int:
    """1-based line of `offset`; lines end at LF, CRLF or CR, as in editors."""
    crlf = text.count("\r\n", 0, offset)
    return text.count("\n", 0, offset) + text.count("\r", 0, offset) - crlf + 1


class LineCounter:
    """Line numbers of ascending offsets, counted once over the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def of(self, offset: int) -> int:
        """1-based line of `offset`, which must not be smaller than the last one asked for."""
        self._line += line_number(self._text[self._at : offset], offset - self._at) - 1
        self._at = offset
        return self._line


def without_last_newline(text: str, start: int, end: int) -> int:
    """`end` less one newline that ends the file: it is the editor's, not the unfinished turn's."""
    if end == len(text) and end > start and text[end - 1] == "\n":
        end -= 1
        if end > start and text[end - 1] == "\r":
            end -= 1
    return end


BLANK = " \t\r\n"
_BLANKS = re.compile(r"[ \t\r\n]*")


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """[start, end) less spaces, tabs and newlines at both ends; other Unicode white space is text."""
    part = text[start:end]
    end = start + len(part.rstrip(BLANK))
    return min(end, start + len(part) - len(part.lstrip(BLANK))), end


def after_blanks(text: str, start: int) -> int:
    """Offset of the first character from `start` on that is no space, tab or newline."""
    blanks = _BLANKS.match(text, start)
    return blanks.end() if blanks else start


def first_opening(text: str, start: int, bos: str, markers: tuple[str, ...]) -> int:
    """Offset of the first of `markers` from `start` on, or of the `bos` right before it; `start` if there is none."""
    found = [at for marker in markers if (at := text.find(marker, start)) >= 0]
    if not found:
        return start
    at = min(found)
    before = at
    while before > start and text[before - 1] in BLANK:
        before -= 1
    return before - len(bos) if text.endswith(bos, start, before) else at
