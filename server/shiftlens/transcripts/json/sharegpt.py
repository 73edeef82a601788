"""ShareGPT records: `conversations` of turns with `from` and `value`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import has_messages, read_messages, with_tools
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.model import Role

_ROLES = {"chatgpt": Role.ASSISTANT, "bard": Role.ASSISTANT, "bing": Role.ASSISTANT}


def _matches(value: object) -> bool:
    return has_messages(value, "conversations", "from", "value")


def _read(record: Record) -> Iterator[Conversation]:
    turns = read_messages(record.items("conversations"), who="from", what="value", roles=_ROLES)
    yield Conversation(turns, with_tools(record, "tools", "functions"))


FORMAT = JsonFormat(
    name="sharegpt",
    summary='ShareGPT JSON or JSONL: {"conversations": [{"from", "value"}]}',
    examples=(
        Example(
            "sharegpt.json",
            '[{"conversations": [{"from": "human", "value": "Why is the sky blue?"},\n'
            '  {"from": "gpt", "value": "Great question! Air scatters blue light more than red."}]}]\n',
        ),
    ),
    evidence='"conversations" with "from" and "value"',
    marks=(('"conversations"', '"from"', '"value"'),),
    means_to_be=re.compile(r'"conversations"\s*:\s*\[\s*\{\s*"(?:from|value)"'),
    matches=_matches,
    read=each(_read),
)
