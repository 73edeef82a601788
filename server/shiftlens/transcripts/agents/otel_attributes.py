"""Where the attributes of a span or an event stand: in an object, or in a list of keys and values."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import MAX_DEPTH, JsonArray, JsonNode, JsonObject, JsonString, decoded

INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
SYSTEM = "gen_ai.system_instructions"
TOOLS = "gen_ai.tool.definitions"
_WANTED = frozenset({INPUT, OUTPUT, SYSTEM, TOOLS})
_VALUES = ("stringValue", "arrayValue", "kvlistValue", "intValue", "doubleValue", "boolValue", "string_value")


def has_messages(value: object) -> bool:
    """Whether a plain value holds the messages of a call anywhere that JSON is read to."""
    return _has_messages(value, 0)


def _has_messages(value: object, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        if INPUT in value or OUTPUT in value or value.get("key") in (INPUT, OUTPUT):
            return True
        return any(_has_messages(each, depth + 1) for each in value.values())
    return isinstance(value, list) and any(_has_messages(each, depth + 1) for each in value)


def carriers(record: Record) -> Iterator[dict[str, Record]]:
    """The attributes of each span and event below a record, in the order of the file; of those wanted here only."""
    yield from _carriers(record, record.node)


def _carriers(record: Record, node: JsonNode) -> Iterator[dict[str, Record]]:
    if isinstance(node, JsonObject):
        own = {name: record.child(each, name) for name, each in node.members.items() if name in _WANTED}
        if INPUT in own or OUTPUT in own:
            yield own
        for each in node.members.values():
            yield from _carriers(record, each)
    elif isinstance(node, JsonArray):
        found = {name: record.child(value, name) for name, value in listed(record.text, node) if name in _WANTED}
        if INPUT in found or OUTPUT in found:
            yield found
        for each in node.items:
            yield from _carriers(record, each)


def listed(text: str, node: JsonArray) -> Iterator[tuple[str, JsonNode]]:
    """The attributes of a list of objects with `key` and `value`."""
    for item in node.items:
        members = item.members if isinstance(item, JsonObject) else {}
        key, value = members.get("key"), members.get("value")
        if isinstance(key, JsonString) and value is not None:
            yield decoded(text, key)[0], bare(text, value)


def bare(text: str, node: JsonNode) -> JsonNode:
    """A value of OTLP, which names its type, as the value alone."""
    if not isinstance(node, JsonObject) or len(node.members) != 1:
        return node
    type_, value = next(iter(node.members.items()))
    if type_ not in _VALUES:
        return node
    inner = value.members.get("values") if isinstance(value, JsonObject) else None
    if not isinstance(inner, JsonArray):
        return value
    if type_ == "arrayValue":
        return JsonArray(node.start, node.end, tuple(bare(text, each) for each in inner.items))
    return JsonObject(node.start, node.end, dict(listed(text, inner)))
