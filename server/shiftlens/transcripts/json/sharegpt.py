"""ShareGPT records: `conversations` of turns with `from` and `value`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import ROLES, has_messages, is_messages, read_messages
from shiftlens.transcripts.json.openai import with_answers
from shiftlens.transcripts.json.prompt import MESSAGE_KEYS, Prompt, history_turns, system_turns
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.training import with_record_mask

_KEYS = ("conversations", *(key for key in MESSAGE_KEYS if key != "conversations"))


def _matches(value: object) -> bool:
    return _is_list(value) or any(has_messages(value, key, "from", "value") for key in _KEYS)


def _is_list(value: object) -> bool:
    return (
        isinstance(value, list)
        and is_messages(value, "from", "value")
        and any(str(m.get("from")).lower() in ROLES for m in value)
    )


def _read(record: Record) -> Iterator[Conversation]:
    key = next((key for key in _KEYS if record.has(key)), _KEYS[0])
    said = read_messages(record.own_items() or record.items(key), who="from", what="value")
    before = (*system_turns(record, said), *history_turns(record))
    prompt = Prompt(with_record_mask(record, (*before, *said)))
    yield from with_answers(record, prompt, key)


FORMAT = JsonFormat(
    name="sharegpt",
    summary='ShareGPT JSON or JSONL: {"conversations": [{"from", "value"}]}',
    examples=(
        Example(
            "sharegpt.json",
            '[{"conversations": [{"from": "human", "value": "Why is the sky blue?"},\n'
            '  {"from": "gpt", "value": "Great question! Air scatters blue light more than red."}]}]\n',
        ),
        Example(
            "calls.json",
            '[{"system": "Look things up.", "tools": "[{\\"name\\": \\"look\\"}]",\n'
            '  "conversations": [{"from": "human", "value": "Why is the sky blue?"},\n'
            '  {"from": "function_call", "value": "{\\"name\\": \\"look\\", \\"arguments\\": {\\"a\\": \\"sky\\"}}"},\n'
            '  {"from": "observation", "value": "Air scatters blue light."},\n'
            '  {"from": "gpt", "value": "Great question! Air scatters blue light more than red."}]}]\n',
        ),
    ),
    evidence='"conversations" with "from" and "value"',
    marks=(('"from"', '"value"'),),
    means_to_be=re.compile(r'"conversations"\s*:\s*\[\s*\{\s*"(?:from|value)"'),
    matches=_matches,
    read=each(_read),
)
