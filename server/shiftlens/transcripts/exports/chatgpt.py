"""ChatGPT's `conversations.json`: each conversation a tree of messages, of which one branch is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.exports.chatgpt_content import INSTRUCTIONS, message_parts
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.branches import branch, others_left_out
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.source import JsonObject, JsonScalar
from shiftlens.transcripts.json.turns import and_more, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

NOTE = "ChatGPT's export does not hold the system prompt and the tools that the model was given."
_OF_NO_MATTER = (
    *("title", "moderation_results", "plugin_ids", "conversation_template_id", "gizmo_id", "gizmo_type", "safe_urls"),
    *("blocked_urls", "conversation_origin", "default_model_slug", "atlas_mode_enabled", "voice", "async_status"),
    *("disabled_tool_ids", "context_scopes", "memory_scope", "owner", "sugar_item_id", "pinned_time", "is_archived"),
)


class _Message(NamedTuple):
    turn: Turn
    ends: bool


def _matches(value: object) -> bool:
    nodes = value.get("mapping") if isinstance(value, dict) else None
    return (
        isinstance(nodes, dict)
        and bool(nodes)
        and all(isinstance(node, dict) and ("parent" in node or "children" in node) for node in nodes.values())
    )


def _read(record: Record) -> Iterator[Conversation]:
    nodes = _nodes(record)
    parents = {name: node.word("parent") or None for name, node in nodes.items()}
    leaf = record.word("current_node")
    if leaf not in nodes:
        inner = set(parents.values())
        leaf = next((name for name in reversed(nodes) if name not in inner), next(reversed(nodes)))
        record.log.say("`current_node` names no message; the branch of the last message was read.", record.start)
    open_branch = branch(parents, leaf)
    others = sum(node.has("message") for name, node in nodes.items() if name not in set(open_branch))
    if others:
        record.log.say(others_left_out(others), record.start)
    said: list[Turn] = []
    ended = True
    for name in open_branch:
        message = _message(nodes[name])
        if message is None:
            continue
        if said and not ended and said[-1].role is message.turn.role is Role.ASSISTANT:
            said[-1] = and_more(said[-1], message.turn)
        else:
            said.append(message.turn)
        ended = message.ends
    record.skip(*_OF_NO_MATTER)
    yield Conversation(tuple(map(Said, said)), notes=(NOTE,))


def _nodes(record: Record) -> dict[str, Record]:
    mapping = record.member("mapping")
    if not isinstance(mapping, JsonObject):
        raise RecordError("`mapping` is no object", record.start)
    return {name: record.child(node, "mapping") for name, node in mapping.members.items()}


def _message(node: Record) -> _Message | None:
    """The message of a node; None where there is none, or where the model was not given it."""
    message = node.mapping("message")
    node.skip("parent", "children")
    node.finish()
    if message is None:
        return None
    author = message.mapping("author")
    role = TEMPLATE_ROLES.get(author.word("role")) if author else None
    if author is None or role is None:
        message.log.say("The author of the message is not known; it was left out.", message.start)
        return None
    name = author.word("name")
    author.skip("metadata")
    author.finish()
    weight = message.plain("weight")
    recipient = message.word("recipient")
    found = message_parts(message, role, recipient)
    content = message.mapping("content")
    if content is not None and content.peek("content_type") in INSTRUCTIONS:
        role = Role.SYSTEM
    message.skip("status", "channel")
    ends = message.member("end_turn")
    ended = isinstance(ends, JsonScalar) and ends.literal == "true"
    message.finish()
    if not any(part.text or part.kind is PartKind.TOOL_CALL for part in found):
        return None
    if isinstance(weight, (int, float)) and weight == 0:
        message.log.say("A message of weight 0, which the model was not given, was left out.", message.start)
        return None
    return _Message(_turn(role, found, message, name), ended)


def _turn(role: Role, found: tuple[Part, ...], message: Record, name: str) -> Turn:
    return turn(role, found, message.start, name if role is Role.TOOL else "")


FORMAT = JsonFormat(
    name="chatgpt",
    summary='ChatGPT\'s export, conversations.json: [{"mapping": {...}, "current_node"}]',
    examples=(
        Example(
            "conversations.json",
            '[{"title": "Sky", "create_time": 1.5, "current_node": "c", "mapping": {\n'
            '  "a": {"id": "a", "message": null, "parent": null, "children": ["b"]},\n'
            '  "b": {"id": "b", "parent": "a", "children": ["c"], "message": {"id": "b", "author": {"role": "user"},\n'
            '    "content": {"content_type": "text", "parts": ["Why is the sky blue?"]}, "recipient": "all"}},\n'
            '  "c": {"id": "c", "parent": "b", "children": [],\n'
            '    "message": {"id": "c", "author": {"role": "assistant"},\n'
            '    "content": {"content_type": "text", "parts": ["Air scatters blue light more than red."]},\n'
            '    "end_turn": true, "weight": 1.0, "recipient": "all"}}}}]\n',
        ),
    ),
    evidence='"mapping" with a tree of messages',
    marks=(('"mapping"', '"message"', '"parent"', '"author"'),),
    matches=_matches,
    read=each(_read),
)
