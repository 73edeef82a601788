"""Open WebUI's export: each chat a tree of messages (`history`), of which one branch is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.exports.details import answer_parts
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.branches import branch, others_left_out
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.source import JsonObject
from shiftlens.transcripts.json.turns import parts, turn
from shiftlens.transcripts.model import PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_OF_NO_MATTER = ("archived", "pinned", "share_id", "folder_id", "user_id", "variables", "last_read_at")
_OF_NO_MATTER_IN_CHATS = (
    "title",
    "models",
    "tags",
    "timestamp",
    "options",
    "messages",
    "originalChatId",
    "branchPointMessageId",
)
_OF_NO_MATTER_IN_MESSAGES = (
    *("parentId", "childrenIds", "models", "modelName", "modelIdx", "userContext", "done", "lastSentence", "info"),
    *("followUps", "statusHistory", "favorite", "annotation", "feedbackId", "context", "selectedModelId", "arena"),
    *("completed", "originalContent", "output"),
)


def _matches(value: object) -> bool:
    return _chat(value) is not None or (isinstance(value, dict) and _chat(value.get("chat")) is not None)


def _chat(value: object) -> object:
    """The chat itself: an object with a tree of messages that name their parents."""
    history = value.get("history") if isinstance(value, dict) else None
    nodes = history.get("messages") if isinstance(history, dict) else None
    fits = isinstance(nodes, dict) and all(
        isinstance(node, dict) and "parentId" in node and isinstance(node.get("role"), str) for node in nodes.values()
    )
    return value if fits and nodes else None


def _read(record: Record) -> Iterator[Conversation]:
    chat = record if record.has("history") else record.mapping("chat")
    if chat is None:
        return
    system = chat.string("system")
    params = chat.mapping("params")
    if params is not None:
        system = params.string("system") or system
    messages = _open_branch(chat)
    turns = [turn(Role.SYSTEM, parts(PartKind.TEXT, system), chat.start)] if system and system[0] else []
    for message in messages:
        turns += _turns(message)
    if chat is not record:
        chat.skip(*_OF_NO_MATTER_IN_CHATS)
        chat.finish()
    record.skip(*_OF_NO_MATTER, *_OF_NO_MATTER_IN_CHATS)
    yield Conversation(tuple(map(Said, turns)))


def _open_branch(chat: Record) -> Sequence[Record]:
    history = chat.mapping("history")
    mapping = history.member("messages") if history else None
    if history is None or not isinstance(mapping, JsonObject):
        return ()
    nodes = {name: history.child(node, "messages") for name, node in mapping.members.items()}
    parents = {name: node.word("parentId") or None for name, node in nodes.items()}
    leaf = history.word("currentId")
    if leaf not in nodes:
        inner = set(parents.values())
        leaf = next((name for name in reversed(nodes) if name not in inner), next(reversed(nodes)))
        chat.log.say("`currentId` names no message; the branch of the last message was read.", chat.start)
    names = branch(parents, leaf)
    if len(names) < len(nodes):
        chat.log.say(others_left_out(len(nodes) - len(names)), chat.start)
    history.finish()
    return [nodes[name] for name in names]


def _turns(message: Record) -> Iterator[Turn]:
    name = message.word("role")
    role = TEMPLATE_ROLES.get(name)
    if role is None:
        message.log.say(f"The role {name!r} is not known; the turn was left out.", message.start)
        return
    content = message.string("content")
    if role is Role.ASSISTANT:
        reasoning = parts(PartKind.REASONING, message.string("reasoning_content"))
        found = (*reasoning, *answer_parts(content, message.log, message.start))
    else:
        found = parts(PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT, content)
    for key in ("files", "sources", "images", "embeds", "code_executions"):
        if message.member(key) is not None and message.plain(key):
            message.log.say(f"`{key}` of a message were not read; the model may have been given them.", message.start)
    message.skip(*_OF_NO_MATTER_IN_MESSAGES)
    message.finish()
    yield turn(role, found, message.start)


FORMAT = JsonFormat(
    name="open-webui",
    summary='Open WebUI\'s export: [{"chat": {"history": {"messages": {...}, "currentId"}}}]',
    examples=(
        Example(
            "chat-export.json",
            '[{"id": "1", "title": "Sky", "chat": {"title": "Sky", "params": {"system": "Be brief."},\n'
            '  "history": {"currentId": "b", "messages": {\n'
            '    "a": {"id": "a", "parentId": null, "childrenIds": ["b"], "role": "user",\n'
            '      "content": "Why is the sky blue?"},\n'
            '    "b": {"id": "b", "parentId": "a", "childrenIds": [], "role": "assistant",\n'
            '      "content": "Air scatters blue light more than red."}}}}}]\n',
        ),
    ),
    evidence='"history" with a tree of messages',
    marks=(('"history"', '"parentId"', '"messages"'),),
    matches=_matches,
    read=each(_read),
)
