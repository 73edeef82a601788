"""JSON and template text that stand inside the strings of a JSON file, with the way back to the file."""

from __future__ import annotations

from dataclasses import replace

from shiftlens.text.source_map import SourceMap, composed
from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.record import Log, Record
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonSourceError, JsonString, decoded, parse

Text = tuple[str, SourceMap]


def texts_of(record: Record, key: str) -> tuple[Text, ...]:
    """The texts of a list that a string spells as JSON, or the string itself as the one text."""
    found = record.string(key)
    if found is None:
        return ()
    text, source = found
    node = json_in(text)
    if isinstance(node, JsonArray) and all(isinstance(item, JsonString) for item in node.items):
        inner = [decoded(text, item) for item in node.items if isinstance(item, JsonString)]
        return tuple((each, composed(places, source)) for each, places in inner)
    return (found,)


def json_in(text: str) -> JsonNode | None:
    """The JSON value that a text spells; None where it spells none."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return parse(text, 0, len(text))
    except JsonSourceError:
        return None


def record_in(text: str, node: JsonNode) -> Record:
    """A value inside a text as a record; what its readers tell is told to the file by `tell`."""
    return Record(text, node, Log())


def tell(inner: Record, outer: Record) -> None:
    """Tell what was told of the inner record at the place of the outer one."""
    for _, sentence in inner.log.problems(inner.text):
        outer.log.say(sentence, outer.start)


def led_back(said: Said, source: SourceMap) -> Said:
    """A turn of a text that stands inside a string, with the way back to the file."""
    parts = tuple(replace(part, source=composed(part.source, source)) for part in said.turn.parts)
    return replace(said, turn=replace(said.turn, parts=parts))
