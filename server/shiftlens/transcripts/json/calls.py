"""Tool calls: as objects of a message, or as the text of a turn or part whose kind says that it is a call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from shiftlens.text.source_map import SourceMap, composed, slice_of
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import (
    JsonArray,
    JsonNode,
    JsonObject,
    JsonSourceError,
    JsonString,
    decoded,
    parse,
)
from shiftlens.transcripts.model import Part, PartKind, ToolCall

CALL_ROLES = frozenset({"function_call", "function-call", "functioncall", "tool_call", "tool-call", "tool_calls"})
"""Speakers whose text is a call that the assistant makes."""

_ARGUMENTS = ("arguments", "input", "args", "parameters", "kwargs")
_RESULTS = ("content", "output", "result", "response")
# glaive's and its kin write {"name": "w", "arguments": '{"city": "Oslo"}'}, which is no JSON.
_QUOTED = re.compile(r"\s*\{\s*\"name\"\s*:\s*\"([^\"\\]*)\"\s*,\s*\"arguments\"\s*:\s*'(.*)'\s*\}\s*", re.DOTALL)
_WRAPPED = re.compile(r"\s*<(functioncall|tool_call)>(.*?)(?:</\1>\s*)?\Z", re.DOTALL)


def call_part(call: Record, called: str = "") -> Part:
    """A tool call: its name (`called` where it names none), its arguments as the file spells them, and its id."""
    inner = call.mapping("function") or call.mapping("custom") or call
    name = inner.word("name") or inner.word("toolName") or inner.word("tool_name") or inner.word("tool") or called
    key = next((name for name in _ARGUMENTS if inner.has(name)), "arguments")
    node = inner.member(key)
    if isinstance(node, JsonString):
        text, source = decoded(call.text, node)
    elif node is not None:
        text, source = call.text[node.start : node.end], SourceMap.verbatim(node.start, node.end - node.start)
    else:
        text, source = "", SourceMap(call.start, ())
    ids = ("tool_call_id", "tool_use_id", "toolCallId", "toolUseId", "call_id", "id")
    call_id = next((found for key in ids if (found := call.word(key))), "")
    call.skip("type", "index", "status", "namespace", "caller")
    if inner is not call:
        inner.finish()
    return Part(PartKind.TOOL_CALL, text, source, call=ToolCall(name, text, call_id))


def result_key(item: Record) -> str | None:
    """The member that holds what a tool gave back."""
    return next((key for key in _RESULTS if item.has(key)), None)


def calls_of(message: Record) -> Iterator[Part]:
    """The calls that stand beside what an assistant's message says."""
    for key in ("tool_calls", "toolCalls"):
        node = message.member(key)
        if isinstance(node, JsonString):
            yield from spoken_calls(message, key)
        elif isinstance(node, JsonObject):
            yield _whole_call(message.child(node, key))
        elif isinstance(node, JsonArray):
            for call in message.items(key):
                if isinstance(call.node, JsonObject):
                    yield _whole_call(call)
                else:
                    call.log.say("A tool call is no object; it was left out.", call.start)
        elif node is not None:
            message.log.left_out(message.named(key), node.start)
    old = message.mapping("function_call")
    if old is not None:
        yield _whole_call(old)


def _whole_call(call: Record) -> Part:
    part = call_part(call)
    call.finish()
    return part


def spoken_calls(record: Record, key: str) -> Iterator[Part]:
    """The calls that a text spells, mostly as JSON with a name and arguments; else the text as one call."""
    node = record.member(key)
    if not isinstance(node, JsonString):
        if node is not None:
            spelled = record.text[node.start : node.end]
            yield from _spelled(record, spelled, SourceMap.verbatim(node.start, len(spelled)), node.start)
        return
    text, source = decoded(record.text, node)
    if text:
        yield from _spelled(record, text, source, node.start)


def _spelled(record: Record, text: str, source: SourceMap, at: int) -> Iterator[Part]:
    wrapped = _WRAPPED.fullmatch(text)
    start, end = wrapped.span(2) if wrapped else (0, len(text))
    quoted = _QUOTED.fullmatch(text, start, end)
    if quoted:
        arguments, places = slice_of(text, source, *quoted.span(2))
        yield Part(PartKind.TOOL_CALL, arguments, places, call=ToolCall(quoted[1], arguments))
        return
    try:
        node = parse(text, start, end)
    except JsonSourceError:
        found = None
    else:
        nodes = node.items if isinstance(node, JsonArray) else (node,)
        found = [_named_call(text, source, each) for each in nodes]
    if found and all(found):
        yield from (part for part in found if part)
        return
    record.log.say("A tool call is no JSON with a name and arguments; it was kept as its text.", at)
    yield Part(PartKind.TOOL_CALL, text, source)


def _named_call(text: str, source: SourceMap, node: JsonNode) -> Part | None:
    if not isinstance(node, JsonObject):
        return None
    inner = node.members.get("function")
    members = inner.members if isinstance(inner, JsonObject) else node.members
    name = members.get("name")
    if not isinstance(name, JsonString):
        return None
    given = next((members[key] for key in _ARGUMENTS if key in members), None)
    id_ = node.members.get("id")
    call_id = decoded(text, id_)[0] if isinstance(id_, JsonString) else ""
    if isinstance(given, JsonString):
        inner_text, inner_source = decoded(text, given)
        arguments, places = inner_text, composed(inner_source, source)
    elif given is not None:
        arguments, places = slice_of(text, source, given.start, given.end)
    else:
        arguments, places = "", SourceMap(source.start_of(node.start), ())
    return Part(PartKind.TOOL_CALL, arguments, places, call=ToolCall(decoded(text, name)[0], arguments, call_id))


def tools_in(record: Record, *keys: str) -> str:
    """The tools that a record offers under these names, as the JSON text of a list; "" where it has none.

    Where two names offer some, the first counts, and the user is told of the other.
    """
    for key in keys:
        if record.has(key) and (found := _tools(record, key)):
            return found
    return ""


def _tools(record: Record, key: str) -> str:
    node = record.member(key)
    if node is None:
        return ""
    text = decoded(record.text, node)[0] if isinstance(node, JsonString) else record.json_text(key)
    if not text.strip():
        return ""
    try:
        tools = json.loads(text)
    except (ValueError, RecursionError):
        tools = record.plain(key)
    if isinstance(tools, dict):
        tools, text = [tools], f"[{text}]"
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        record.log.say(f"`{record.named(key)}` is no list of tools; it was not read.", node.start)
        return ""
    return text if tools else ""
