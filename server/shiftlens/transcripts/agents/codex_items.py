"""The items of a Codex rollout, which are those of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.json.turns import Text, call, parts, spelled, spelled_node, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "web_search_call": "action",
    "tool_search_call": "arguments",
}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_OF_NO_MATTER = (
    "type",
    "phase",
    "end_turn",
    "status",
    "namespace",
    "execution",
    "internal_chat_message_metadata_passthrough",
    "content_item_kinds",
    "content_item_kinds",
)


def item_turn(item: Record) -> Turn | None:
    """The turn that an item is, or is a piece of; None for one of no text, and for one that can't be read."""
    type_ = item.word("type")
    item.skip(*_OF_NO_MATTER)
    found: Turn | None = None
    if type_ == "message":
        found = _message(item)
    elif type_ == "reasoning":
        found = _reasoning(item)
    elif type_ in _CALLS:
        name = item.word("name") or type_.removesuffix("_call")
        made = call(name, spelled(item, _CALLS[type_]), item.start, item.word("call_id") or item.word("id"))
        found = turn(Role.ASSISTANT, (made,), item.start)
    elif type_ in _RESULTS:
        result = tuple(_output(item))
        found = turn(Role.TOOL, result, item.start, call_id=item.word("call_id"))
    elif type_ == "ghost_snapshot":
        return None
    else:
        item.log.say(f"Items of the type {type_!r} were not read; the model may have been given them.", item.start)
        return None
    item.finish()
    return found


def _message(item: Record) -> Turn | None:
    name = item.word("role")
    role = TEMPLATE_ROLES.get(name)
    node = item.member("content")
    if role is None:
        item.log.say(f"The role {name!r} is not known; the turn was left out.", item.start)
        return None
    if isinstance(node, JsonString):
        return turn(role, parts(PartKind.TEXT, spelled_node(item, node)), item.start)
    return turn(role, _texts(item, "content", PartKind.TEXT), item.start)


def _texts(item: Record, key: str, kind: PartKind) -> Iterator[Part]:
    for piece in item.items(key):
        if not isinstance(piece.node, JsonObject):
            continue
        type_ = piece.word("type")
        if type_ == "refusal":
            yield from parts(kind, piece.string("refusal"))
        elif piece.has("text"):
            yield from parts(kind, piece.string("text"))
            piece.skip("annotations")
            piece.finish()
        else:
            piece.log.say(f"Parts of the type {type_!r} (pictures, files) were not read.", piece.start)


def _reasoning(item: Record) -> Turn | None:
    """A thought: its own text where the log holds it, else the summary of it that the log holds."""
    whole = tuple(_texts(item, "content", PartKind.REASONING))
    summary = tuple(_texts(item, "summary", PartKind.REASONING))
    hidden = item.has("encrypted_content")
    item.skip("encrypted_content")
    if whole:
        return turn(Role.ASSISTANT, whole, item.start)
    if hidden:
        rest = "its summary was read in its place" if summary else "it was left out"
        item.log.say(f"The log holds a thought in encrypted form only; {rest}.", item.start)
    return turn(Role.ASSISTANT, summary, item.start) if summary else None


def _output(item: Record) -> Iterator[Part]:
    """What a tool gave: a text, a list of parts, or an object with `content`."""
    node = item.member("output")
    if isinstance(node, JsonArray):
        yield from _texts(item, "output", PartKind.TOOL_RESULT)
        return
    inner = item.mapping("output")
    text: Text | None = None
    if inner is not None and inner.has("content"):
        text = spelled(inner, "content")
        inner.skip("success", "content_items")
        inner.finish()
    elif node is not None:
        text = spelled(item, "output")
    yield from parts(PartKind.TOOL_RESULT, text)
