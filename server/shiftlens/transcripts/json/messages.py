"""Messages as chat APIs take them: roles, content parts by type, reasoning, tool calls, tool results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Part, PartKind, Role, SourceMap, ToolCall, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

CALL_ROLES = frozenset({"function_call", "function-call", "tool_call", "tool-call", "tool_calls"})
"""Speakers whose text is a call that the assistant makes."""

_TEXT_TYPES = frozenset({"", "text", "input_text", "output_text"})
_REASONING_TYPES = frozenset({"reasoning", "thinking", "reasoning_text"})
_CALL_TYPES = frozenset({"tool_use", "tool-call", "tool_call", "function_call"})
_RESULT_TYPES = frozenset({"tool_result", "tool-result", "tool_call_response", "function_call_output"})
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
_ID_FIELDS = ("tool_call_id", "tool_use_id", "toolCallId", "call_id", "id")


def read_messages(
    messages: Iterable[Record], *, who: str = "role", what: str = "content", roles: dict[str, Role] | None = None
) -> tuple[Said, ...]:
    """The turns of a list of messages. One whose role is not known is left out, and the user told.

    `who` and `what` are the members that name the speaker and hold what was said; `roles` are names beside the usual
    ones. Raises RecordError where a message is no object, or its content is nothing that can be read.
    """
    said: list[Said] = []
    for message in messages:
        if not isinstance(message.node, JsonObject):
            raise RecordError("a message is no object", message.start)
        for turn in _turns(message, who, what, roles or {}):
            said.append(Said(turn))
        message.finish()
    return tuple(said)


def _turns(message: Record, who: str, what: str, roles: dict[str, Role]) -> Iterator[Turn]:
    name = message.word(who)
    if name in CALL_ROLES:
        yield Turn(Role.ASSISTANT, tuple(_spoken_call(message, what)))
        return
    role = roles.get(name) or TEMPLATE_ROLES.get(name)
    if role is None:
        message.log.say(f"The role {name!r} is not known; the turn was left out.", message.start)
        message.skip(what)
        return
    reasoning = _reasoning(message) if role is Role.ASSISTANT else ()
    speaker, call_id = message.word("name"), _call_id(message) if role is Role.TOOL else ""
    parts, results = _content(message, what, role)
    calls = _calls(message) if role is Role.ASSISTANT else ()
    yield from results
    every = (*reasoning, *parts, *calls)
    if every or not results:
        kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
        empty = Part(kind, "", SourceMap(message.start, ()))
        yield Turn(role, every or (empty,), speaker, call_id)


def _reasoning(message: Record) -> tuple[Part, ...]:
    """What the model thought before its answer; servers may send it under two names, which is one thought."""
    found: list[Part] = []
    for key in _REASONING_FIELDS:
        node = message.member(key)
        if isinstance(node, JsonString):
            text, source = decoded(message.text, node)
            if text and all(text != part.text for part in found):
                found.append(Part(PartKind.REASONING, text, source))
        elif node is not None:
            message.log.left_out(message.named(key), node.start)
    return tuple(found)


def _call_id(message: Record) -> str:
    return next((found for key in _ID_FIELDS[:-1] if (found := message.word(key))), "")


def _content(message: Record, what: str, role: Role) -> tuple[tuple[Part, ...], tuple[Turn, ...]]:
    """The parts of a message's content, and the turns of tools whose results it holds."""
    node = message.member(what)
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    if node is None:
        return (), ()
    if isinstance(node, JsonString):
        return (Part(kind, *decoded(message.text, node)),), ()
    if isinstance(node, JsonObject):
        items: Sequence[Record] = (message.child(node, what),)
    elif isinstance(node, JsonArray):
        items = message.items(what)
    else:
        raise RecordError("a message's content is neither a string, a list of parts nor null", node.start)
    parts: list[Part] = []
    results: list[Turn] = []
    for item in items:
        for found in _item(item, kind):
            (results if isinstance(found, Turn) else parts).append(found)  # type: ignore[arg-type]
    return tuple(parts), tuple(results)


def _item(item: Record, kind: PartKind) -> Iterator[Part | Turn]:
    """A content part by its type."""
    if isinstance(item.node, JsonString):
        yield Part(kind, *decoded(item.text, item.node))
        return
    type_ = item.word("type")
    if type_ in _TEXT_TYPES:
        found = item.string("text") or item.string("value") or item.string("content")
        if found is None:
            item.log.say(f"A content part has no text (`{item.path}`); it was left out.", item.start)
        else:
            yield Part(kind, *found)
        item.finish()
    elif type_ in _REASONING_TYPES:
        found = item.string("text") or item.string("thinking") or item.string("reasoning") or item.string("value")
        if found is not None:
            yield Part(PartKind.REASONING, *found)
        item.skip("signature")
        item.finish()
    elif type_ in _CALL_TYPES:
        yield call_part(item)
    elif type_ in _RESULT_TYPES:
        yield _result(item)
    elif type_ == "refusal" and (found := item.string("refusal")) is not None:
        yield Part(kind, *found)
    else:
        item.log.say(f"Content parts of the type {type_!r} were not read.", item.start)


def _result(item: Record) -> Turn:
    call_id = next((found for key in _ID_FIELDS[:-1] if (found := item.word(key))), "")
    key = next((name for name in ("content", "output", "result", "response") if item.has(name)), "content")
    parts, _ = _content(item, key, Role.TOOL)
    item.skip("is_error")
    name = item.word("name") or item.word("toolName")
    item.finish()
    return Turn(Role.TOOL, parts or (Part(PartKind.TOOL_RESULT, "", SourceMap(item.start, ())),), name, call_id)


def call_part(call: Record) -> Part:
    """A tool call: its name, its arguments (text as the file spells it) and its id."""
    inner = call.mapping("function") or call
    name = inner.word("name") or inner.word("toolName") or inner.word("tool_name")
    key = next((name for name in ("arguments", "input", "args", "parameters") if inner.has(name)), "arguments")
    node = inner.member(key)
    if isinstance(node, JsonString):
        text, source = decoded(call.text, node)
    elif node is not None:
        text, source = call.text[node.start : node.end], SourceMap.verbatim(node.start, node.end - node.start)
    else:
        text, source = "", SourceMap(call.start, ())
    call_id = next((found for key in _ID_FIELDS if (found := call.word(key))), "")
    call.skip("type", "index")
    inner.finish()
    call.finish()
    return Part(PartKind.TOOL_CALL, text, source, call=ToolCall(name, text, call_id))


def _calls(message: Record) -> tuple[Part, ...]:
    found = [call_part(call) for call in message.items("tool_calls") if isinstance(call.node, JsonObject)]
    old = message.mapping("function_call")
    return (*found, call_part(old)) if old is not None else tuple(found)


def _spoken_call(message: Record, what: str) -> Iterator[Part]:
    """A turn whose speaker is called a function call: its text is the call, mostly as a JSON object."""
    node = message.member(what)
    if isinstance(node, JsonString):
        text, source = decoded(message.text, node)
        yield Part(PartKind.TOOL_CALL, text, source, call=ToolCall("", text))
    elif node is not None:
        text, source = message.text[node.start : node.end], SourceMap.verbatim(node.start, node.end - node.start)
        yield Part(PartKind.TOOL_CALL, text, source, call=ToolCall("", text))


def with_tools(record: Record, *keys: str) -> str:
    """The tools that a record offers under one of these names, as the JSON text of a list; "" where it has none."""
    for key in keys:
        if record.has(key):
            node = record.member(key)
            text = record.json_text(key)
            if isinstance(node, JsonString):
                text = decoded(record.text, node)[0]
            if text.strip() not in ("", "[]"):
                return text
    return ""


def has_messages(value: object, key: str, who: str, what: str | None = None) -> bool:
    """Whether a plain value has a list of messages, each of which names its speaker (and has something said)."""
    items = value.get(key) if isinstance(value, dict) else None
    return is_messages(items, who, what)


def is_messages(items: object, who: str, what: str | None = None) -> bool:
    """Whether a plain value is a list of messages, each of which names its speaker (and has something said)."""
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(m, dict) and isinstance(m.get(who), str) and (what is None or what in m) for m in items)
    )
