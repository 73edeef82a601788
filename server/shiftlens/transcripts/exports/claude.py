"""Claude's export: conversations with `chat_messages`, whose answers hold thoughts, tool calls and results in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.branches import branch, others_left_out
from shiftlens.transcripts.json.messages import has_messages
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.source import JsonArray, JsonString
from shiftlens.transcripts.json.turns import call, newline, parts, spelled, spelled_node, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

NOTE = "Claude's export does not hold the system prompt and the tools that the model was given."
_ROLES = {"human": Role.USER, "user": Role.USER, "assistant": Role.ASSISTANT}
_OF_NO_MATTER = (
    *("name", "summary", "account", "settings", "project", "project_uuid", "is_starred", "is_temporary", "platform"),
    *("current_leaf_message_uuid", "organization_id", "workspace"),
)
_OF_NO_MATTER_IN_MESSAGES = ("parent_message_uuid", "truncated", "input_mode", "stop_reason", "sync_sources", "nodes")
_OF_NO_MATTER_IN_BLOCKS = (
    *("start_timestamp", "stop_timestamp", "flags", "citations", "cut_off", "summaries", "signature", "message"),
    *("alternative_display_type", "integration_name", "integration_icon_url", "context", "display_content", "meta"),
    *(
        "approval_options",
        "approval_key",
        "is_error",
        "structured_content",
        "icon_name",
        "is_mcp_app",
        "mcp_server_url",
    ),
)


def _matches(value: object) -> bool:
    return has_messages(value, "chat_messages", "sender")


def _read(record: Record) -> Iterator[Conversation]:
    messages = _open_branch(record, record.items("chat_messages"))
    turns = tuple(found for message in messages for found in _turns(message))
    record.skip(*_OF_NO_MATTER)
    yield Conversation(tuple(map(Said, turns)), notes=(NOTE,))


def _open_branch(record: Record, messages: Sequence[Record]) -> Sequence[Record]:
    """The messages of the branch that is open; all of them where none answers the same message as another."""
    names = [message.word("uuid") for message in messages]
    parents = [message.word("parent_message_uuid") for message in messages]
    answered = [parent for parent in parents if parent]
    if len(set(answered)) == len(answered) or len(set(names)) != len(names):
        return messages
    leaf = record.word("current_leaf_message_uuid")
    kept = set(branch(dict(zip(names, parents, strict=True)), leaf if leaf in names else names[-1]))
    record.log.say(others_left_out(len(messages) - len(kept)), record.start)
    return [message for name, message in zip(names, messages, strict=True) if name in kept]


def _turns(message: Record) -> Iterator[Turn]:
    """The turns of one message: a tool's result ends the assistant's turn and begins another."""
    sender = message.word("sender")
    role = _ROLES.get(sender)
    message.skip(*_OF_NO_MATTER_IN_MESSAGES)
    if role is None:
        message.log.say(f"The sender {sender!r} is not known; the turn was left out.", message.start)
        message.skip("text", "content", "attachments", "files")
        return
    found: list[Part] = [*_attachments(message)]
    began = False
    for each_of in _blocks(message):
        if isinstance(each_of, Turn):
            if found:
                yield turn(role, found, message.start)
            yield each_of
            found = []
        else:
            found.append(each_of)
        began = True
    if found or not began:
        yield turn(role, found, message.start)
    message.finish()


def _attachments(message: Record) -> Iterator[Part]:
    for attachment in message.items("attachments"):
        text = attachment.string("extracted_content")
        for part in parts(PartKind.TEXT, text):
            yield part
            yield newline(part)
        name = attachment.word("file_name")
        if text is None:
            attachment.log.say(f"The attachment {name!r} has no text; it was not read.", attachment.start)
        attachment.skip("file_type", "file_size")
        attachment.finish()
    for file in (*message.items("files"), *message.items("files_v2")):
        name = file.word("file_name") or file.word("file_uuid")
        file.log.say(f"The file {name!r} is not in the export.", file.start)


def _blocks(message: Record) -> Iterator[Part | Turn]:
    """What a message holds. Its `text` is the same without tools and thoughts: it counts where there is no content."""
    text = message.string("text")
    blocks = message.items("content")
    if not blocks:
        yield from parts(PartKind.TEXT, text)
    for block in blocks:
        type_ = block.word("type")
        if type_ in ("text", "voice_note"):
            yield from parts(PartKind.TEXT, block.string("text"))
            block.skip("title")
        elif type_ == "thinking":
            yield from parts(PartKind.REASONING, block.string("thinking"))
        elif type_ == "tool_use":
            yield call(block.word("name"), spelled(block, "input"), block.start, block.word("id"))
        elif type_ == "tool_result":
            yield _result(block)
        elif type_ != "token_budget":
            block.log.say(f"Content blocks of the type {type_!r} were not read.", block.start)
            continue
        block.skip(*_OF_NO_MATTER_IN_BLOCKS, "remaining", "truncated")
        block.finish()


def _result(block: Record) -> Turn:
    name, call_id = block.word("name"), block.word("tool_use_id")
    node = block.member("content")
    if isinstance(node, JsonString):
        return turn(Role.TOOL, parts(PartKind.TOOL_RESULT, spelled_node(block, node)), block.start, name, call_id)
    found: list[Part] = []
    for item in block.items("content") if isinstance(node, JsonArray) else ():
        type_ = item.word("type")
        if item.has("text"):
            found += parts(PartKind.TOOL_RESULT, item.string("text"))
            item.skip("is_missing", "is_citable", "prompt_context_metadata")
            item.finish()
        else:
            item.log.say(f"Parts of the type {type_!r} in tool results were not read.", item.start)
    return turn(Role.TOOL, found, block.start, name, call_id)


FORMAT = JsonFormat(
    name="claude",
    summary='Claude\'s export, conversations.json: [{"chat_messages": [{"sender", "text", "content"}]}]',
    examples=(
        Example(
            "conversations.json",
            '[{"uuid": "1", "name": "Sky", "chat_messages": [\n'
            '  {"uuid": "2", "sender": "human", "text": "Why is the sky blue?", "attachments": [], "files": [],\n'
            '   "content": [{"type": "text", "text": "Why is the sky blue?"}]},\n'
            '  {"uuid": "3", "sender": "assistant", "text": "Air scatters blue light more than red.",\n'
            '   "content": [{"type": "text", "text": "Air scatters blue light more than red."}]}]}]\n',
        ),
    ),
    evidence='"chat_messages" with senders',
    marks=(('"chat_messages"', '"sender"'),),
    matches=_matches,
    read=each(_read),
)
