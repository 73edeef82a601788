"""Chat messages as the OpenAI API takes them: a record with `messages`, or a list of messages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import has_messages, is_messages, read_messages, with_tools
from shiftlens.transcripts.json.record import Record, each


def _matches(value: object) -> bool:
    return is_messages(value, "role") or has_messages(value, "messages", "role")


def _read(record: Record) -> Iterator[Conversation]:
    messages = record.own_items() or record.items("messages")
    tools = with_tools(record, "tools", "functions")
    yield Conversation(read_messages(messages), tools)


FORMAT = JsonFormat(
    name="openai",
    summary='OpenAI chat JSON or JSONL: {"messages": [{"role", "content"}]}',
    examples=(
        Example(
            "chat.jsonl",
            '{"messages": [{"role": "user", "content": "Why is the sky blue?"},'
            ' {"role": "assistant", "content": "Great question! Air scatters blue light more than red."}]}\n',
        ),
    ),
    evidence='"messages" with roles',
    marks=(('"role"',),),
    means_to_be=re.compile(r'"messages"\s*:\s*\[\s*\{\s*"(?:role|content)"|\A\s*\[\s*\{\s*"role"\s*:'),
    matches=_matches,
    read=each(_read),
)
