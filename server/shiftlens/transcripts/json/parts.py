"""The parts of a message by their type: text, reasoning, tool calls, tool results; others are named to the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.json.calls import call_part, result_key, spoken_calls
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

TEXT_TYPES = frozenset({"text", "input_text", "output_text", "summary_text", "markdown"})
REASONING_TYPES = frozenset({"reasoning", "thinking", "reasoning_text", "thought", "thoughts", "think"})
CALL_TYPES = frozenset(
    (
        *("tool_use", "tool-call", "tool_call", "toolCall", "function_call", "custom_tool_call", "functionCall"),
        *("server_tool_use", "mcp_tool_use", "dynamic-tool", "tool-invocation"),
    )
)
RESULT_TYPES = frozenset(
    (
        *("tool_result", "tool-result", "tool_response", "tool_call_response", "toolResult", "functionResponse"),
        *("function_call_output", "custom_tool_call_output", "function_response"),
    )
)
ID_FIELDS = ("tool_call_id", "tool_use_id", "toolCallId", "call_id", "id")
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")

_TEXT_KEYS = ("text", "value", "content")
_REASONING_KEYS = ("text", "thinking", "reasoning", "reasoning_text", "thought", "value", "content")
_STEPS = frozenset({"step-start", "step-finish", "step_start", "step_finish"})
_SUMMARY = "A summary stands in place of the reasoning itself; it was read as what the model thought."


def content_of(message: Record, key: str, role: Role) -> tuple[Part | Turn, ...]:
    """What a message says, in order: its parts, and the turns of tools whose results stand among them.

    Raises RecordError where it is neither a text, a list of parts, one part nor null.
    """
    node = message.member(key)
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    if node is None:
        return ()
    if isinstance(node, JsonString):
        return (Part(kind, *decoded(message.text, node)),)
    if isinstance(node, JsonObject):
        items: Sequence[Record] = (message.child(node, key),)
    elif isinstance(node, JsonArray):
        items = message.items(key)
    elif role is Role.TOOL:
        return (Part(kind, message.text[node.start : node.end], SourceMap.verbatim(node.start, node.end - node.start)),)
    else:
        raise RecordError("a message's content is neither a string, a list of parts nor null", node.start)
    return tuple(found for item in items for found in part_of(item, kind, role))


def part_of(item: Record, kind: PartKind, role: Role) -> Iterator[Part | Turn]:
    """A content part by its type; one that holds no text of the conversation is named to the user."""
    node = item.node
    if isinstance(node, JsonString):
        yield Part(kind, *decoded(item.text, node))
        return
    if not isinstance(node, JsonObject):
        if not (isinstance(node, JsonArray) and not node.items):
            item.log.say("A content part is neither a text nor an object; it was left out.", item.start)
        return
    type_ = _type_of(item)
    speaks = role is Role.ASSISTANT
    if type_ in _STEPS:
        return
    if type_ in TEXT_TYPES:
        yield from _text(item, kind)
    elif type_ == "refusal" and item.has("refusal"):
        yield from _first_text(item, ("refusal",), kind)
        item.finish()
    elif type_ in REASONING_TYPES and speaks:
        yield from reasoning_item(item)
    elif is_call_type(type_) and speaks:
        yield from call_and_result(item, type_)
    elif is_result_type(type_):
        yield result_turn(item)
    else:
        item.log.say(f"Content parts of the type {type_!r} were not read.", item.start)


def is_call_type(type_: str) -> bool:
    """Whether a part of this type is a tool call. The AI SDK's parts are called `tool-` and the name of the tool."""
    return type_ in CALL_TYPES or (type_.startswith("tool-") and not is_result_type(type_))


def is_result_type(type_: str) -> bool:
    """Whether a part of this type is what a tool gave back."""
    return type_ in RESULT_TYPES or type_.endswith("_tool_result")


def _type_of(item: Record) -> str:
    """The type that a part names, or that of what it holds (Bedrock's and Gemini's parts name none)."""
    type_ = item.word("type")
    if type_:
        return type_
    if item.has("text") or item.has("value"):
        thought = item.plain("thought") is True
        return "thought" if thought else "text"
    untyped = {"toolUse": "tool_use", "toolResult": "tool_result", "reasoningContent": "reasoning"}
    names = [name for name in item.names() if name not in ("thought", "thoughtSignature", "cachePoint")]
    if len(names) == 1 and names[0] in untyped:
        return untyped[names[0]]
    if "content" in names:
        return "text"
    return next((name for name in names if item.mapping(name)), names[0] if names else "")


def _text(item: Record, kind: PartKind) -> Iterator[Part]:
    item.skip("annotations", "citations", "state", "thought", "thoughtSignature")
    if item.has("text") and (nested := item.mapping("text")):
        # The Assistants API's texts are objects.
        yield from _first_text(nested, ("value",), kind)
        nested.skip("annotations")
        nested.finish()
    else:
        yield from _first_text(item, _TEXT_KEYS, kind)
    item.finish()


def _first_text(item: Record, keys: Iterable[str], kind: PartKind) -> Iterator[Part]:
    key = next((key for key in keys if item.has(key)), None)
    found = None if key is None else item.string(key)
    if found is None:
        item.log.say(f"A content part has no text (`{item.path}`); it was left out.", item.start)
    else:
        yield Part(kind, *found)


def reasoning_item(item: Record) -> Iterator[Part]:
    """Reasoning as a content part, or as an item of the Responses API: its texts, or else the summary of them."""
    item.skip("signature", "state", "status", "thought", "thoughtSignature", "type")
    inner = item.mapping("reasoningContent") or item
    inner = inner.mapping("reasoningText") or inner
    inner.skip("signature")
    found = tuple(part for key in _REASONING_KEYS if inner.has(key) for part in _reasoning_texts(inner, key))
    if not any(part.text for part in found) and item.has("summary"):
        found = _reasoning_texts(item, "summary")
        if found:
            item.log.say(_SUMMARY, item.start)
    else:
        item.skip("summary")
    item.finish()
    yield from found


def _reasoning_texts(item: Record, key: str) -> tuple[Part, ...]:
    node = item.member(key)
    if isinstance(node, JsonString):
        nodes = [node]
    elif isinstance(node, JsonArray):
        nodes = []
        for each in item.items(key):
            text = each.member("text") if isinstance(each.node, JsonObject) else each.node
            if isinstance(text, JsonString):
                nodes.append(text)
            else:
                item.log.say("A part of the reasoning has no text; it was left out.", each.start)
    else:
        item.log.left_out(item.named(key), item.start)
        return ()
    return tuple(Part(PartKind.REASONING, *decoded(item.text, each)) for each in nodes)


def reasoning_fields(message: Record) -> tuple[Part, ...]:
    """What the model thought before its answer; servers may send it under two names, which is one thought."""
    found: list[Part] = []
    for key in REASONING_FIELDS:
        # An object of this name is how much the model was to think (`reasoning.effort`).
        if message.kind(key) in (JsonString, JsonArray):
            parts = _reasoning_texts(message, key)
            if [part.text for part in parts] != [part.text for part in found]:
                found += (part for part in parts if part.text)
    return tuple(found)


def call_and_result(item: Record, type_: str) -> Iterator[Part | Turn]:
    """A tool call, with the result where the same part holds it (the AI SDK's messages)."""
    call = item.mapping("toolInvocation") or item.mapping("toolUse") or item.mapping("functionCall") or item
    item.skip("thought", "thoughtSignature")
    if not any(call.has(key) for key in ("arguments", "input", "args", "parameters", "name", "toolName", "function")):
        said = next((key for key in ("value", "text", "content") if call.has(key)), None)
        if said is not None:
            yield from spoken_calls(call, said)
            call.finish()
            return
    # `tool-weather` is a call of `weather`; `tool-call` and `tool-invocation` are words for a call.
    name = type_[len("tool-") :] if type_.startswith("tool-") and type_ not in CALL_TYPES else ""
    has_result = call is not item or type_.startswith("tool-") or type_ == "dynamic-tool"
    result = result_key(call) if has_result else None
    part = call_part(call, name)
    if result is None and has_result and call.has("errorText"):
        result = "errorText"
    if result is not None:
        made = part.call
        yield part
        yield Turn(Role.TOOL, result_parts(call, result), made.name if made else "", made.id if made else "")
    else:
        yield part
    call.skip("state", "step", "providerExecuted")
    call.finish()
    item.finish()


def result_turn(item: Record) -> Turn:
    """What a tool gave back, as a turn of that tool."""
    inner = item.mapping("toolResult") or item.mapping("functionResponse") or item
    key = result_key(inner) or "content"
    call_id = next((found for name in (*ID_FIELDS, "toolUseId") if (found := inner.word(name))), "")
    name = inner.word("name") or inner.word("toolName") or inner.word("tool_name")
    parts = result_parts(inner, key)
    inner.skip("is_error", "isError", "status", "type")
    inner.finish()
    item.finish()
    return Turn(Role.TOOL, parts, name, call_id)


def result_parts(item: Record, key: str) -> tuple[Part, ...]:
    """The texts of a result; a result that is no text is its JSON text as the file spells it."""
    node = item.member(key)
    if node is None:
        return (Part(PartKind.TOOL_RESULT, "", SourceMap(item.start, ())),)
    if isinstance(node, JsonObject):
        wrapped = item.child(node, key)
        if wrapped.word("type") in ("text", "json", "error-text", "error-json", "content") and wrapped.has("value"):
            return result_parts(wrapped, "value")
    if isinstance(node, JsonString) or (isinstance(node, JsonArray) and _are_parts(item, key)):
        found = content_of(item, key, Role.TOOL)
        if parts := tuple(part for part in found if isinstance(part, Part)):
            return parts
        return (Part(PartKind.TOOL_RESULT, "", SourceMap(node.start, ())),)
    length = node.end - node.start
    return (Part(PartKind.TOOL_RESULT, item.text[node.start : node.end], SourceMap.verbatim(node.start, length)),)


_RESULT_PARTS = frozenset({*TEXT_TYPES, "image", "image_url", "input_image", "document", "file", "audio", "resource"})


def _are_parts(item: Record, key: str) -> bool:
    for each in item.items(key):
        typed = isinstance(each.node, JsonObject) and (
            each.word("type") in _RESULT_PARTS or (not each.has("type") and tuple(each.names()) == ("text",))
        )
        if not typed and not isinstance(each.node, JsonString):
            return False
    return True
