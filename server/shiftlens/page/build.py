"""From transcripts to one readable page.

Nobody reads JSONL by eye. A page shows each conversation turn by turn, with the decoded text of every part. Its own
transcript is that of the files, but with places in the page: so whatever shows a transcript can show a page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shiftlens.text.lines import LineIndex
from shiftlens.text.source_map import SourceMap
from shiftlens.text.visible import one_line
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Transcript, Turn

_RULE = "──"
_CONVERSATION_RULE = "━━━━"
_NOTHING = "(no text)"


@dataclass(frozen=True, slots=True)
class Source:
    """A text that a page shows: a file, or a member of an archive. `name` is what the page calls it.

    `in_file` tells whether the text is what the file itself holds, so that an editor can show a place in it.
    """

    name: str
    text: str
    transcript: Transcript
    in_file: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Characters of the page that stand in a source: `source_map` leads from the first one on to source `index`."""

    start: int
    length: int
    index: int
    source_map: SourceMap


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the page: where it stands, its words, and the offset in source `index` of what is below it.

    `level` is 1 for a conversation, 2 for a turn.
    """

    start: int
    end: int
    words: str
    level: int
    index: int
    source_start: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page. `transcript` has places in `text`; its problems are told in the text itself."""

    text: str
    transcript: Transcript
    sources: tuple[Source, ...]
    places: tuple[Place, ...]
    headings: tuple[Heading, ...]

    def whole_transcript(self) -> Transcript:
        """The transcript with all that could not be read in its sources, which the message names."""
        problems = tuple(
            (line, f"{source.name}: {message}")
            for source in self.sources
            for line, message in source.transcript.problems
        )
        return replace(self.transcript, problems=problems)

    def source_of(self, offset: int) -> tuple[int, int] | None:
        """The source and the offset in it of what the page shows at `offset`; None above the first heading.

        Between texts, that is where the text below the heading before begins.
        """
        at = bisect_right(self.places, offset, key=lambda place: place.start) - 1
        if at >= 0:
            place = self.places[at]
            inside = offset - place.start
            if inside < place.length or (inside == place.length and place.length):
                return place.index, place.source_map.start_of(inside)
        above = bisect_right(self.headings, offset, key=lambda heading: heading.start) - 1
        if above < 0:
            return None
        heading = self.headings[above]
        return heading.index, heading.source_start


def build_page(sources: Sequence[Source]) -> Page:
    """The page of one file, or of the members of an archive."""
    writer = _Writer()
    for index, source in enumerate(sources):
        writer.source(index, source, len(sources) > 1)
    return writer.page(tuple(sources))


class _Writer:
    """Puts a page together, and keeps count of where it is."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._places: list[Place] = []
        self._headings: list[Heading] = []
        self._conversations: list[tuple[Turn, ...]] = []
        self._tools: list[str] = []
        self._notes: list[tuple[str, ...]] = []
        self._responses: list[Response] = []

    def source(self, index: int, source: Source, named: bool) -> None:
        """Write all conversations of a source."""
        transcript = source.transcript
        if named:
            self._write(f"{one_line(source.name)}\n\n")
        lines = LineIndex(source.text)
        for line, message in transcript.problems:
            self._write(f"line {line}: {one_line(message)}\n")
        if transcript.problems:
            self._write("\n")
        first = len(self._conversations)
        labels = {response.conversation: response.label for response in transcript.responses}
        tools = dict(enumerate(transcript.tools))
        count = len(transcript.conversations)
        for number, turns in enumerate(transcript.conversations):
            at = min((turn.source_start for turn in turns), default=0)
            words = " · ".join(
                [
                    f"conversation {number + 1} of {count}",
                    *([labels[number]] if labels.get(number) else []),
                    f"line {lines.position(at, 'utf-32')[0] + 1}",
                ]
            )
            if count > 1:
                self._heading(f"{_CONVERSATION_RULE} {one_line(words)} {_CONVERSATION_RULE}", 1, index, at)
            if tools.get(number):
                self._heading(f"{_RULE} tools {_RULE}", 2, index, at)
                self._write(f"{tools[number]}\n\n")
            self._conversations.append(tuple(self._turn(index, turn) for turn in turns))
        self._tools += transcript.tools
        self._notes += transcript.notes
        for response in transcript.responses:
            turns = self._conversations[first + response.conversation]
            moved = replace(
                response,
                index=len(self._responses),
                context=turns[: response.turn_index],
                turn=turns[response.turn_index],
                conversation=first + response.conversation,
            )
            self._responses.append(moved)

    def page(self, sources: tuple[Source, ...]) -> Page:
        """What was written."""
        first = sources[0].transcript if sources else Transcript("", "", ())
        transcript = replace(
            first,
            responses=tuple(self._responses),
            problems=(),
            conversations=tuple(self._conversations),
            tools=tuple(self._tools),
            notes=tuple(self._notes),
        )
        return Page("".join(self._pieces), transcript, sources, tuple(self._places), tuple(self._headings))

    def _turn(self, index: int, turn: Turn) -> Turn:
        parts: list[Part] = []
        for words, run in _runs(turn):
            self._heading(f"{_RULE} {one_line(words)} {_RULE}", 2, index, run[0].source.source_start)
            if not any(part.text for part in run):
                self._write(f"{_NOTHING}\n")
            for part in run:
                parts.append(self._part(index, part))
            self._write("\n\n")
        return replace(turn, parts=tuple(parts))

    def _part(self, index: int, part: Part) -> Part:
        start = self._length
        # A lone carriage return is a line break to some editors, and would be changed when the page is opened.
        self._write(part.text.replace("\r", "\n"))
        self._places.append(Place(start, len(part.text), index, part.source))
        return replace(part, source=SourceMap.verbatim(start, len(part.text)))

    def _heading(self, line: str, level: int, index: int, source_start: int) -> None:
        start = self._length
        self._write(line)
        self._headings.append(Heading(start, self._length, line.strip("─━ "), level, index, source_start))
        self._write("\n\n")

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)


def _runs(turn: Turn) -> Iterator[tuple[str, list[Part]]]:
    """Parts that stand under one heading, with its words. Parts that spell their own marks join what is beside them."""
    run: list[Part] = []
    for part in turn.parts:
        joins = run and (part.marked or run[-1].marked or (part.kind is run[-1].kind and part.kind is PartKind.TEXT))
        if run and not joins:
            yield _words(turn, run), run
            run = []
        run.append(part)
    if run:
        yield _words(turn, run), run


def _words(turn: Turn, run: Sequence[Part]) -> str:
    words = [turn.role.value]
    if turn.name and turn.role is not Role.ASSISTANT:
        words.append(turn.name)
    kind = run[0].kind
    if kind is PartKind.REASONING and not run[0].marked:
        words.append("reasoning")
    if kind is PartKind.TOOL_CALL and not run[0].marked:
        words.append(f"tool call {run[0].call.name}".strip() if run[0].call else "tool call")
    return " · ".join(words)
