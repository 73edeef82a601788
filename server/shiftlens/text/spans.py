"""From where tokens end in bytes to where they stand in the file.

Tokenizers cut bytes, not characters. A character whose bytes are spread over several tokens belongs to the token
that holds its first byte; the other tokens are empty spans right behind it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.text.source_map import SourceMap

_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


@dataclass(frozen=True, slots=True)
class TokenSpans:
    """Spans of n tokens. The decoded spans partition the text, the source spans follow from them.

    - text_ends: uint32 [n], where each token ends in the decoded text, in code points; it begins where the one
      before it ended.
    - starts, ends: uint32 [n], code-point offsets into the file.
    - cuts: uint8 [n], 1 where the token ends inside a character.
    """

    text_ends: array[int]
    starts: array[int]
    ends: array[int]
    cuts: bytes


def token_spans(text: str, byte_ends: Sequence[int], source: SourceMap) -> TokenSpans:
    """Spans of the tokens that end at `byte_ends` (ascending) in the UTF-8 of `text`.

    An empty token stands right behind the token before it; one behind the last character is at
    `source.source_end`. Where the text goes on at an earlier place of the file, the span of a token that goes on
    with it ends before that. Raises ValueError where `byte_ends` descend or leave the text.
    """
    text_ends, cuts = _ends_in_text(text, byte_ends)
    starts, ends = _ends_in_source(text_ends, source)
    return TokenSpans(text_ends, starts, ends, cuts)


def _ends_in_text(text: str, byte_ends: Sequence[int]) -> tuple[array[int], bytes]:
    data = text.encode("utf-8", "surrogatepass")
    rows = len(byte_ends)
    last = 0
    for end in byte_ends:
        if end < last:
            raise ValueError(f"a token ends at byte {end}, before byte {last} where the one before it ends")
        last = end
    if last > len(data):
        raise ValueError(f"a token ends at byte {last} of a text of {len(data)} bytes")
    if len(data) == len(text):
        return array("I", byte_ends), bytes(rows)
    text_ends = array("I", bytes(4 * rows))
    cuts = bytearray(rows)
    begin = begun = 0
    for row, end in enumerate(byte_ends):
        # Bytes that continue a character don't begin one: what is left, counted, is how many characters began.
        begun += len(data[begin:end].translate(None, _CONTINUATION_BYTES))
        text_ends[row] = begun
        cuts[row] = end < len(data) and 0x80 <= data[end] < 0xC0
        begin = end
    return text_ends, bytes(cuts)


def _ends_in_source(text_ends: array[int], source: SourceMap) -> tuple[array[int], array[int]]:
    if source == SourceMap.verbatim(source.source_start, source.decoded_length):
        ends = array("I", (source.source_start + end for end in text_ends))
    else:
        ends = _walk(text_ends, source)
    starts = array("I", [source.source_start]) + ends[:-1]
    if len(starts) > len(ends):
        return array("I"), ends
    if gaps(source):
        _skip_gaps(text_ends, starts, ends, source)
    return starts, ends


def _walk(text_ends: array[int], source: SourceMap) -> array[int]:
    """Source offsets just past the first `text_ends[row]` characters, in one pass over tokens and segments."""
    ends = array("I")
    segments = iter(source.segments)
    segment = next(segments, None)
    for end in text_ends:
        while segment is not None and segment.decoded_start + segment.decoded_length < end:
            segment = next(segments, None)
        if end == 0 or segment is None:
            ends.append(source.source_start)
        elif segment.decoded_length == segment.source_length:
            ends.append(segment.source_start + end - segment.decoded_start)
        else:
            ends.append(segment.source_start + segment.source_length)
    return ends


def gaps(source: SourceMap) -> list[int]:
    """The decoded characters, ascending, before which the file holds something that is not of the text."""
    found = []
    at = source.source_start
    for segment in source.segments:
        if segment.source_start != at:
            found.append(segment.decoded_start)
        at = segment.source_start + segment.source_length
    return found


def character_at(source: SourceMap, start: int, end: int, offset: int) -> int | None:
    """The decoded character of [start, end) that stands at an offset of the file, None where none does. O(log n).

    The source runs of these characters must ascend, as they do within a part of a turn.
    """
    if start >= end:
        return None
    segments = source.segments
    first = bisect_right(segments, start, key=lambda segment: segment.decoded_start) - 1
    past = bisect_left(segments, end, key=lambda segment: segment.decoded_start)
    at = bisect_right(segments, offset, first, past, key=lambda segment: segment.source_start) - 1
    if at < first or offset >= segments[at].source_start + segments[at].source_length:
        return None
    segment = segments[at]
    is_run = segment.decoded_length == segment.source_length
    index = segment.decoded_start + (offset - segment.source_start if is_run else 0)
    return index if start <= index < end else None


def _steps_back(source: SourceMap) -> list[int]:
    """The decoded characters, ascending, that stand in the file before the character that they follow."""
    found = []
    past = source.source_start
    for segment in source.segments:
        if segment.source_start < past:
            found.append(segment.decoded_start)
        past = segment.source_start + segment.source_length
    return found


def _skip_gaps(text_ends: array[int], starts: array[int], ends: array[int], source: SourceMap) -> None:
    """Let tokens that hold text begin at their first character, and end where the text goes back in the file."""
    back = _steps_back(source)
    begin = 0
    for row, end in enumerate(text_ends):
        if end > begin:
            starts[row] = source.start_of(begin)
            step = bisect_right(back, begin)
            if step < len(back) and back[step] < end:
                ends[row] = source.end_of(back[step] - 1)
        elif row:
            starts[row] = ends[row] = ends[row - 1]
        begin = end
