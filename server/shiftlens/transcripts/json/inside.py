"""JSON that a JSON string holds: read there, with the way back to the file."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from shiftlens.text.source_map import SourceMap, composed
from shiftlens.transcripts.json.record import Log, Record
from shiftlens.transcripts.json.source import JsonSourceError, JsonString, decoded, parse
from shiftlens.transcripts.model import Turn


class _LogInside(Log):
    """Hands on what is told of places in a string's value as told of places in the file."""

    def __init__(self, log: Log, source: SourceMap) -> None:
        super().__init__()
        self._log, self._source = log, source

    def say(self, sentence: str, offset: int) -> None:
        self._log.say(sentence, self._source.start_of(min(offset, self._source.decoded_length)))


class Opened(NamedTuple):
    """A value of a file. Where a string held it, offsets in `record` are those in the string's value."""

    record: Record
    source: SourceMap | None = None

    def in_file(self, turn: Turn) -> Turn:
        """A turn that was read from the record, with the way to the file."""
        if self.source is None:
            return turn
        source = self.source
        return replace(turn, parts=tuple(replace(p, source=composed(p.source, source)) for p in turn.parts))


def opened(record: Record) -> Opened | None:
    """The value itself or, where it is a string, the JSON in it. A string that holds none is told to the user."""
    if not isinstance(record.node, JsonString):
        return Opened(record)
    text, source = decoded(record.text, record.node)
    if not text.strip():
        return None
    try:
        node = parse(text, 0, len(text))
    except JsonSourceError as error:
        record.log.say(f"`{record.path}` is no JSON ({error.reason}); it was not read.", record.start)
        return None
    return Opened(Record(text, node, _LogInside(record.log, source), record.path), source)
