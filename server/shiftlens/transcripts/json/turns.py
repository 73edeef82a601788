"""Parts and turns out of the members of a JSON record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonNode, JsonString, decoded
from shiftlens.transcripts.model import Part, PartKind, Role, ToolCall, Turn

Text = tuple[str, SourceMap]


def spelled(record: Record, key: str) -> Text | None:
    """The text of a member: a string's value, and of another value its JSON as the file spells it."""
    node = record.member(key)
    return None if node is None else spelled_node(record, node)


def spelled_node(record: Record, node: JsonNode) -> Text:
    """The text of a value: a string's own, and of another value its JSON as the file spells it."""
    if isinstance(node, JsonString):
        return decoded(record.text, node)
    return record.text[node.start : node.end], SourceMap.verbatim(node.start, node.end - node.start)


def parts(kind: PartKind, *texts: Text | None) -> tuple[Part, ...]:
    """A part for each text that is there and not empty."""
    return tuple(Part(kind, *text) for text in texts if text is not None and text[0])


def on_lines(kind: PartKind, *texts: Text | None) -> tuple[Part, ...]:
    """A part for each text that is there and not empty, and between two of them one that is a newline."""
    found = parts(kind, *texts)
    return tuple(
        part for at, text in enumerate(found) for part in ((text,) if not at else (newline(found[at - 1]), text))
    )


def newline(after: Part) -> Part:
    """A newline that parts what follows from the part before it; nothing spells it in the file."""
    at = after.source.source_end
    return Part(after.kind, "\n", SourceMap(at, (Segment(0, 1, at, 0),)))


def call(name: str, arguments: Text | None, at: int, call_id: str = "") -> Part:
    """A tool call; `at` is where it stands when it has no arguments."""
    text, source = arguments or ("", SourceMap(at, ()))
    return Part(PartKind.TOOL_CALL, text, source, call=ToolCall(name, text, call_id))


def turn(role: Role, found: Iterable[Part], at: int, name: str = "", call_id: str = "") -> Turn:
    """A turn. One without parts has an empty one at `at`."""
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    return Turn(role, tuple(found) or (Part(kind, "", SourceMap(at, ())),), name, call_id)


def and_more(first: Turn, second: Turn) -> Turn:
    """A turn that goes on: the parts of both, without the empty one that stands for none."""
    kept = tuple(part for part in (*first.parts, *second.parts) if part.text or part.call)
    return replace(first, parts=kept or first.parts)
