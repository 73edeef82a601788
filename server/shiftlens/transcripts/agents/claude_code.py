"""Claude Code's session logs: JSONL whose lines form trees, and whose answers are spread over several lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.agents.claude_code_tree import Line, conversations
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import read_messages
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.turns import and_more, parts, turn
from shiftlens.transcripts.model import PartKind, Role

NOTE = "Claude Code's log does not hold the system prompt and the tools that the model was given."
_SYNTHETIC = "<synthetic>"

_OF_NO_MATTER = (
    *("type", "uuid", "parentUuid", "logicalParentUuid", "sessionId", "session_id", "isSidechain", "userType", "cwd"),
    *("gitBranch", "requestId", "toolUseResult", "tool_use_result", "isMeta", "isVisibleInTranscriptOnly", "agentId"),
    *("isCompactSummary", "compactMetadata", "thinkingMetadata", "todos", "slug", "level", "subtype", "toolUseID"),
    *("parentToolUseID", "parent_tool_use_id", "permissionMode", "sourceToolUseID", "sourceToolAssistantUUID"),
    *("imagePasteIds", "entrypoint", "promptId", "promptSource", "origin", "apiError", "error", "isApiErrorMessage"),
    *("attributionAgent", "attributionSkill", "attributionPlugin", "mcpMeta", "teamName", "agentName", "forkedFrom"),
    *("effort", "isReplay", "isSynthetic", "turnOrigin", "attributionMcpServer", "attributionMcpTool", "planContent"),
)
_OF_NO_MATTER_IN_MESSAGES = ("type", "container", "context_management", "stop_details", "diagnostics")
_SHOWN_ONLY = frozenset(
    {"summary", "file-history-snapshot", "queue-operation", "progress", "custom-title", "ai-title", "agent-name"}
    | {
        "last-prompt",
        "permission-mode",
        "pr-link",
        "mode",
        "tag",
        "result",
        "agent-color",
        "agent-setting",
        "worktree-state",
    }
    | {"system", "rate_limit_event", "stream_event", "tool_progress", "attribution-snapshot", "task-summary"}
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict) or value.get("type") not in ("user", "assistant"):
        return False
    message = value.get("message")
    return (
        isinstance(message, dict)
        and message.get("role") == value["type"]
        and any(isinstance(value.get(key), str) for key in ("sessionId", "session_id", "uuid"))
    )


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    lines = [Line.of(record) for record in records]
    for line in lines:
        if line.type not in ("user", "assistant", "attachment") and line.type not in _SHOWN_ONLY:
            line.record.log.say(f"Lines of the type {line.type!r} were not read.", line.record.start)
    for found in conversations(lines):
        yield Conversation(tuple(_said(found)), notes=(NOTE,))


def _said(lines: Sequence[Line]) -> list[Said]:
    """The turns of a conversation. Lines of one message of the model are one turn, which stands where it began."""
    said: list[Said] = []
    began: dict[str, int] = {}
    for line in lines:
        try:
            found = list(_line(line))
        except RecordError as error:
            line.record.log.say(f"The line was left out: {error.reason}.", error.offset)
            continue
        at = began.get(line.message_id) if line.message_id else None
        if at is not None and found:
            said[at] = Said(and_more(said[at].turn, found[0].turn), scored=said[at].scored)
            found = found[1:]
        elif line.message_id and found:
            began[line.message_id] = len(said)
        said += found
    return said


def _line(line: Line) -> Iterator[Said]:
    """The turns of one line: what the model or the user said, or what tools gave."""
    record = line.record
    if line.type == "attachment":
        yield from _attached(record)
        return
    message = record.mapping("message") if line.type in ("user", "assistant") else None
    if message is None:
        return
    if line.type == "assistant" and record.plain("isApiErrorMessage") is True:
        record.log.say("An error that Claude Code shows in the model's place was left out.", record.start)
        return
    _warn_of_hidden_thoughts(message)
    message.skip(*_OF_NO_MATTER_IN_MESSAGES)
    # Claude Code itself speaks in the model's place now and then, which the model is given all the same.
    made_up = message.word("model") == _SYNTHETIC
    yield from (Said(each.turn, scored=not made_up) for each in read_messages((message,)))
    record.skip(*_OF_NO_MATTER)
    record.finish()


def _attached(record: Record) -> Iterator[Said]:
    """What Claude Code puts beside a message. Only what the user typed in meanwhile is text that can be read."""
    attached = record.mapping("attachment")
    if attached is None:
        return
    type_ = attached.word("type")
    prompt = attached.member("prompt")
    if type_ == "queued_command" and prompt is not None:
        said = attached.plain("prompt")
        if isinstance(said, str):
            yield Said(turn(Role.USER, parts(PartKind.TEXT, attached.string("prompt")), record.start))
            return
    record.log.say(
        f"Attachments of the type {type_!r} were not read; the model may have been given them.", record.start
    )


def _warn_of_hidden_thoughts(message: Record) -> None:
    content = message.plain("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "thinking" and not block.get("thinking"):
            message.log.say("The log holds a thought as a signature only; its text is not known.", message.start)


FORMAT = JsonFormat(
    name="claude-code",
    summary='Claude Code sessions, JSONL: {"type", "message", "sessionId", "uuid", "parentUuid"}',
    examples=(
        Example(
            "session.jsonl",
            '{"type": "user", "uuid": "1", "parentUuid": null, "sessionId": "s", "isSidechain": false,'
            ' "message": {"role": "user", "content": "Why is the sky blue?"}}\n'
            '{"type": "assistant", "uuid": "2", "parentUuid": "1", "sessionId": "s", "isSidechain": false,'
            ' "message": {"id": "m", "role": "assistant",'
            ' "content": [{"type": "text", "text": "Air scatters blue light more than red."}]}}\n',
        ),
    ),
    evidence='"message" with a session\'s id',
    marks=(
        ('"message"', '"type"', '"sessionId"'),
        ('"message"', '"type"', '"session_id"'),
        ('"parentUuid"', '"message"'),
    ),
    matches=_matches,
    read=_read,
    whole_file=True,
)
