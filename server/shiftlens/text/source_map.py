"""Where in the file each decoded character of a text stands."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of decoded characters and the source characters that spell it.

    All offsets count Unicode code points. Either both lengths are equal and the characters correspond one to
    one, or `decoded_length` is 1 and the source run is an escape (such as the six characters `\\u00e9`), or empty for a
    newline that the reader sets between two texts.
    """

    decoded_start: int
    decoded_length: int
    source_start: int
    source_length: int


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Where in the file each decoded character of one text stands.

    `segments` are in the order of the text and leave no decoded character out; their source runs do not overlap, and
    ascend within a part of a turn. `source_start` is where the text begins in the file, for texts of no characters too.
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

    def between(self, start: int, end: int) -> tuple[Segment, ...]:
        """The segments that have any of the decoded characters [start, end)."""
        if start >= end:
            return ()
        return self.segments[max(0, bisect_right(self._starts, start) - 1) : bisect_left(self._starts, end)]

    def _segment(self, index: int) -> Segment:
        if not 0 <= index < self.decoded_length:
            raise IndexError(f"no character {index} in a text of {self.decoded_length}")
        return self.segments[bisect_right(self._starts, index) - 1]


def joined(parts: Sequence[tuple[str, SourceMap]]) -> tuple[str, SourceMap]:
    """Several texts as one, in the order given.

    What the file holds between them is no part of it. The source runs of the result ascend only where those of the
    parts do. Raises ValueError where there are none.
    """
    if len(parts) == 1:
        return parts[0]
    segments: list[Segment] = []
    length = 0
    for text, source in parts:
        segments += (
            Segment(s.decoded_start + length, s.decoded_length, s.source_start, s.source_length)
            for s in source.segments
        )
        length += len(text)
    with_text = [source for text, source in parts if text]
    first = with_text[0] if with_text else parts[0][1] if parts else None
    if first is None:
        raise ValueError("there is nothing to join")
    return "".join(text for text, _ in parts), SourceMap(first.source_start, tuple(segments))


def slice_of(text: str, source: SourceMap, start: int, end: int) -> tuple[str, SourceMap]:
    """The decoded characters [start, end) of a text, with their own map."""
    segments: list[Segment] = []
    for s in source.between(start, end):
        first, past = max(start, s.decoded_start), min(end, s.decoded_start + s.decoded_length)
        if s.decoded_length == s.source_length:
            at, length = s.source_start + first - s.decoded_start, past - first
        else:
            at, length = s.source_start, s.source_length
        segments.append(Segment(first - start, past - first, at, length))
    at = segments[0].source_start if segments else source.start_of(start)
    return text[start:end], SourceMap(at, tuple(segments))


def composed(inner: SourceMap, outer: SourceMap) -> SourceMap:
    """The way back to the file from a text that is spelled inside another: `inner` leads to the other, `outer` on."""
    segments: list[Segment] = []
    for s in inner.segments:
        if s.decoded_length != s.source_length:
            start, end = outer.span(s.source_start, s.source_start + s.source_length)
            segments.append(Segment(s.decoded_start, 1, start, end - start))
            continue
        shift = s.decoded_start - s.source_start
        at, past = s.source_start, s.source_start + s.source_length
        for o in outer.between(at, past):
            first, last = max(at, o.decoded_start), min(past, o.decoded_start + o.decoded_length)
            same = o.decoded_length == o.source_length
            source = o.source_start + first - o.decoded_start if same else o.source_start
            segments.append(Segment(first + shift, last - first, source, last - first if same else o.source_length))
    return SourceMap(outer.start_of(inner.source_start), tuple(segments))
