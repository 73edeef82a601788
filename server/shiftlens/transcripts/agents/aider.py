"""aider's `.aider.chat.history.md`: sessions under a heading, `#### ` before the user's lines, `> ` before aider's own.

aider ends the lines that it marks with two spaces. A line of an answer that begins like them has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import Segment, SourceMap, joined
from shiftlens.transcripts.conversation import (
    Conversation,
    Problem,
    Reading,
    Said,
    after_blanks,
    check_turns,
    line_number,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role, Turn

NOTE = "aider's history does not hold its system prompt, nor the files and the map that the model was given."
_HEADING = re.compile(r"^# aider chat started at [^\n]*(?:\n|\Z)", re.MULTILINE)
_SPACED = re.compile(r"^(?:####|>)[ ][^\n]*[ ]{2}\r?$", re.MULTILINE)
_MARKED = re.compile(r"^(?P<mark>####|>)(?:[ ](?P<text>[^\n]*?))?(?P<spaces>[ ]{2})?(?P<end>\r?\n|\r?\Z)", re.MULTILINE)
# Other commands are carried out by aider; these are sent to the model with the rest of the line.
_ASKS = re.compile(r"/(?:ask|code|architect|context|help|chat-mode|ok)\b")


class _Piece(NamedTuple):
    """A section of a session: what the user said, what aider said, or other text, which is the model's."""

    kind: str
    start: int
    end: int
    turn: Turn | None = None


def read_aider(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as aider's history, a conversation for each session; None where it does not begin as one."""
    headings = list(_HEADING.finditer(text, start))
    if not headings or (not forced and headings[0].start() != after_blanks(text, start)):
        if forced:
            raise TranscriptError("There is no line `# aider chat started at` in the file.", "Choose another format.")
        return None
    spaced = _SPACED.search(text, start) is not None
    problems: list[Problem] = []
    found: list[Conversation] = []
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        said = _session(text, heading.end(), end, spaced, problems)
        if said:
            found.append(Conversation(tuple(said), notes=(NOTE,)))
    if not found:
        if forced:
            raise TranscriptError("No session in the file holds a line `#### ` of the user.", "Choose another format.")
        return None
    count = len(headings)
    evidence = f"`# aider chat started at` over {count} session{'s' if count != 1 else ''}"
    return Reading(evidence, tuple(found), tuple(problems))


def _session(text: str, start: int, end: int, spaced: bool, problems: list[Problem]) -> list[Said]:
    said: list[Said] = []
    asked: bool | None = None
    answered = False
    for piece in _pieces(text, start, end, spaced):
        if piece.turn is not None:
            command = piece.turn.text.startswith(("/", "!")) and not _ASKS.match(piece.turn.text)
            asked, answered = not command, False
            if not command:
                said.append(Said(piece.turn))
        elif piece.kind == "text":
            line = line_number(text, piece.start)
            if asked is None:
                # aider's greeting, which repeats its command line, may be of several lines.
                continue
            if not asked:
                problems.append((line, "Text that answers nothing that the user asked the model was left out."))
                continue
            if answered:
                problems.append(
                    (line, "Another answer follows here; what aider told the model before it is not in the history.")
                )
            answered = True
            said.append(Said(verbatim_turn(Role.ASSISTANT, text, piece.start, piece.end)))
        check_turns(len(said))
    return said


def _pieces(text: str, start: int, end: int, spaced: bool) -> Iterator[_Piece]:
    """The pieces of a session in order, blank text left out."""
    at = start
    lines: list[re.Match[str]] = []
    for line in _MARKED.finditer(text, start, end):
        if spaced and not line["spaces"]:
            continue
        goes_on = bool(lines) and line.start() == lines[-1].end()
        if lines and not (goes_on and line["mark"] == "####"):
            yield _user(lines)
            lines = []
        first, last = trimmed(text, at, line.start())
        if last > first:
            yield _Piece("text", first, last)
        if line["mark"] == "####":
            lines.append(line)
        at = line.end()
    if lines:
        yield _user(lines)
    first, last = trimmed(text, at, end)
    if last > first:
        yield _Piece("text", first, last)


def _user(lines: list[re.Match[str]]) -> _Piece:
    """What the user said: lines joined by newlines, each of which stands for all between two lines' texts."""
    texts: list[tuple[str, SourceMap]] = []
    for before, line in zip([None, *lines[:-1]], lines, strict=True):
        content = line["text"] or ""
        at = line.start("text") if line["text"] is not None else line.start() + len(line["mark"])
        if before is not None:
            past = before.end("text") if before["text"] is not None else before.start() + len(before["mark"])
            texts.append(("\n", SourceMap(past, (Segment(0, 1, past, at - past),))))
        texts.append((content, SourceMap.verbatim(at, len(content))))
    return _Piece("user", lines[0].start(), lines[-1].end(), Turn.of(Role.USER, *joined(texts)))


FORMAT = TextFormat(
    name="aider",
    summary="aider's chat history: # aider chat started at, #### before what the user said",
    examples=(
        Example(
            ".aider.chat.history.md",
            "\n# aider chat started at 2026-01-01 10:00:00\n\n> Aider v1.0  \n> Model: m  \n\n"
            "#### Why is the sky blue?  \n\nAir scatters blue light more than red.\n\n"
            "> Tokens: 20 sent, 8 received.  \n",
        ),
    ),
    read=read_aider,
)
