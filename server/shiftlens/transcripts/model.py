"""What a transcript is: turns, responses, and the way back from their characters to the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Role(str, Enum):
    """Who speaks in a turn."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of decoded characters and the source characters that spell it.

    All offsets count Unicode code points. Either both lengths are equal and the characters correspond one to
    one, or `decoded_length` is 1 and the source run is an escape (such as the six characters `\\u00e9`).
    """

    decoded_start: int
    decoded_length: int
    source_start: int
    source_length: int


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Where in the file each decoded character of one text stands.

    `segments` are in the order of the text and leave no decoded character out; their source runs ascend and do
    not overlap. `source_start` is where the text begins in the file, for texts of no characters too.
    """

    source_start: int
    segments: tuple[Segment, ...]
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(s.decoded_start for s in self.segments))

    @classmethod
    def verbatim(cls, source_start: int, length: int) -> SourceMap:
        """The map of a text that stands in the file as it is."""
        segments = (Segment(0, length, source_start, length),) if length else ()
        return cls(source_start, segments)

    @property
    def decoded_length(self) -> int:
        """Length of the text in code points."""
        if not self.segments:
            return 0
        last = self.segments[-1]
        return last.decoded_start + last.decoded_length

    @property
    def source_end(self) -> int:
        """Offset just past the text in the file."""
        if not self.segments:
            return self.source_start
        last = self.segments[-1]
        return last.source_start + last.source_length

    def start_of(self, index: int) -> int:
        """Source offset at which decoded character `index` begins; `source_end` for the index past the last.

        Raises IndexError where the text has no such index.
        """
        if index == self.decoded_length:
            return self.source_end
        segment = self._segment(index)
        if segment.decoded_length == segment.source_length:
            return segment.source_start + index - segment.decoded_start
        return segment.source_start

    def end_of(self, index: int) -> int:
        """Source offset just past decoded character `index`. Raises IndexError where there is no such one."""
        segment = self._segment(index)
        if segment.decoded_length == segment.source_length:
            return segment.source_start + index - segment.decoded_start + 1
        return segment.source_start + segment.source_length

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Source span of decoded characters [start, end); an empty span stays empty."""
        if start >= end:
            at = self.start_of(start)
            return at, at
        return self.start_of(start), self.end_of(end - 1)

    def _segment(self, index: int) -> Segment:
        if not 0 <= index < self.decoded_length:
            raise IndexError(f"no character {index} in a text of {self.decoded_length}")
        return self.segments[bisect_right(self._starts, index) - 1]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `text` is decoded (escapes undone), `source` leads back to the file."""

    role: Role
    text: str
    source: SourceMap


@dataclass(frozen=True, slots=True)
class Response:
    """An assistant turn with all that came before it.

    `end_marker` is the literal that ends the response in the file where it has one (`</s>`, `<|im_end|>`); it is
    not part of `turn.text`. `verbatim_prefix` is the file's own text before the response where the file is
    written in a chat template, and None elsewhere.
    """

    index: int
    context: tuple[Turn, ...]
    turn: Turn
    end_marker: str | None = None
    verbatim_prefix: str | None = None

    @property
    def text(self) -> str:
        return self.turn.text


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file read as a conversation, or as several (a JSONL file holds one on each line).

    `format` is the detected format's name; `detected_by` says in a few words what gave it away, for the user to
    check. `front_matter` holds the keys of the `shiftlens` mapping in the YAML front matter. `problems` lists
    parts that could not be read while the rest could (one bad line among good ones), as (1-based line, message).
    """

    format: str
    detected_by: str
    responses: tuple[Response, ...]
    front_matter: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[tuple[int, str], ...] = ()
