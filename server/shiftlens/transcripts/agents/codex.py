"""Codex's rollouts: JSONL that holds a session twice, as the model saw it and as the user did. The first is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.transcripts.agents.codex_items import item_turn
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonObject, JsonString
from shiftlens.transcripts.json.turns import and_more, parts, turn
from shiftlens.transcripts.model import PartKind, Role, Turn

NOTE = "Codex's log does not hold the tools that the model was given."
_HEADER = frozenset({"id", "timestamp", "instructions", "git", "cwd", "originator", "cli_version"})
_META = (
    *("cwd", "originator", "cli_version", "source", "model_provider", "git", "forked_from_id", "agent_nickname"),
    *("agent_role", "memory_mode", "thread_source", "agent_path", "context_window"),
)


def _matches(value: object) -> bool:
    """A line of today's rollouts that the model saw, or one that only the rollouts of 2025's first half have."""
    if not isinstance(value, dict):
        return False
    if value.get("type") == "response_item":
        return isinstance(value.get("payload"), dict)
    return value.get("record_type") == "state" or ("instructions" in value and _HEADER.issuperset(value))


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    turns: list[Turn] = []
    begun = False
    for record in records:
        type_ = record.word("type")
        payload = record.mapping("payload")
        item = record if payload is None and type_ else payload if type_ == "response_item" else None
        if item is not None:
            begun = True
            turns = _with(turns, _turn(item))
        elif payload is None:
            record.skip("git", "record_type")
            record.finish()
        elif type_ in ("session_meta", "compacted"):
            if begun:
                yield Conversation(tuple(map(Said, turns)), notes=(NOTE,))
                turns, begun = [], False
            for found in _system(payload) if type_ == "session_meta" else _compacted(payload):
                turns = _with(turns, found)
        elif type_ == "event_msg":
            if payload.word("type") == "thread_rolled_back":
                record.log.say(
                    "The user took turns back here: the model was not given them afterwards, but they are read.",
                    record.start,
                )
        elif type_ not in ("turn_context", "world_state", "token_count"):
            record.log.say(f"Lines of the type {type_!r} were not read.", record.start)
    if turns:
        yield Conversation(tuple(map(Said, turns)), notes=(NOTE,))


def _turn(item: Record) -> Turn | None:
    """The turn of an item; one that can't be read is told and left out."""
    try:
        return item_turn(item)
    except RecordError as error:
        item.log.say(f"The item was left out: {error.reason}.", error.offset)
        return None


def _with(turns: list[Turn], found: Turn | None) -> list[Turn]:
    """The turns and one more. Items of the model that follow one another are one turn."""
    if found is None:
        return turns
    if turns and turns[-1].role is found.role is Role.ASSISTANT:
        turns[-1] = and_more(turns[-1], found)
    else:
        turns.append(found)
    return turns


def _system(meta: Record) -> Iterator[Turn]:
    """The system prompt, which newer rollouts hold."""
    base = meta.mapping("base_instructions")
    if base is not None:
        found = parts(PartKind.TEXT, base.string("text"))
        if found:
            yield turn(Role.SYSTEM, found, base.start)
        base.finish()
    if _stands_again(meta, "instructions"):
        # The user's own instructions are in the first message too, as the model was given them.
        meta.skip("instructions")
    meta.skip(*_META)
    meta.finish()


def _stands_again(record: Record, key: str) -> bool:
    """Whether the text of a member stands in the file once more, as it is spelled there."""
    node = record.node.members.get(key) if isinstance(record.node, JsonObject) else None
    return isinstance(node, JsonString) and record.text.count(record.text[node.start + 1 : node.end - 1]) > 1


def _compacted(payload: Record) -> Iterator[Turn]:
    """With what a conversation goes on after it was compacted."""
    message = payload.string("message")
    if payload.has("replacement_history"):
        for item in payload.items("replacement_history"):
            found = _turn(item)
            if found is not None:
                yield found
    else:
        payload.log.say(
            "The conversation was compacted here; of what the model was given then, the log holds the summary only.",
            payload.start,
        )
        if message is not None and message[0]:
            yield turn(Role.USER, parts(PartKind.TEXT, message), payload.start)
    payload.finish()


FORMAT = JsonFormat(
    name="codex",
    summary='Codex rollouts, JSONL: {"timestamp", "type": "response_item", "payload"}',
    examples=(
        Example(
            "rollout.jsonl",
            '{"timestamp": "2026-01-01T00:00:00Z", "type": "session_meta", "payload": {"id": "s", "cwd": "/x"}}\n'
            '{"timestamp": "2026-01-01T00:00:01Z", "type": "response_item", "payload": {"type": "message",'
            ' "role": "user", "content": [{"type": "input_text", "text": "Why is the sky blue?"}]}}\n'
            '{"timestamp": "2026-01-01T00:00:02Z", "type": "event_msg", "payload": {"type": "agent_message",'
            ' "message": "Air scatters blue light more than red."}}\n'
            '{"timestamp": "2026-01-01T00:00:02Z", "type": "response_item", "payload": {"type": "message",'
            ' "role": "assistant", "content": [{"type": "output_text",'
            ' "text": "Air scatters blue light more than red."}]}}\n',
        ),
    ),
    evidence='"response_item" with a payload',
    marks=(('"response_item"', '"payload"'), ('"input_text"', '"record_type"'), ('"input_text"', '"instructions"')),
    matches=_matches,
    read=_read,
    whole_file=True,
)
