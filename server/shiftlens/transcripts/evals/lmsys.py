"""Conversations that LMSYS-Chat-1M, WildChat and FastChat collected: `conversation` with roles."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import has_messages, read_messages, with_tools
from shiftlens.transcripts.json.record import Record, each

# Who wrote, where and how it was judged.
COLLECTED = (
    *("country", "detoxify_moderation", "hashed_ip", "header", "openai_id", "openai_moderation", "redacted", "state"),
    *("toxic", "tstamp", "turn", "turn_identifier"),
)


def _matches(value: object) -> bool:
    return has_messages(value, "conversation", "role", "content")


def _read(record: Record) -> Iterator[Conversation]:
    messages = record.items("conversation")
    for message in messages:
        message.skip(*COLLECTED)
    record.skip(*COLLECTED)
    yield Conversation(read_messages(messages), with_tools(record, "tools"))


FORMAT = JsonFormat(
    name="lmsys",
    summary='LMSYS-Chat-1M and WildChat JSON or JSONL: {"conversation": [{"role", "content"}]}',
    examples=(
        Example(
            "wildchat.jsonl",
            '{"conversation_id": "1", "model": "m", "turn": 1, "language": "English", "redacted": false,'
            ' "conversation": [{"role": "user", "content": "Why is the sky blue?", "toxic": false},'
            ' {"role": "assistant", "content": "Great question! Air scatters blue light more than red."}]}\n',
        ),
    ),
    evidence='"conversation" with roles',
    marks=(('"conversation"', '"role"'),),
    matches=_matches,
    read=each(_read),
)
