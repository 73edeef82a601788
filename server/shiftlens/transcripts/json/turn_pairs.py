"""Conversations as pairs of question and answer: `conversation` of objects with `human` and `assistant`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import with_tools
from shiftlens.transcripts.json.prompt import MESSAGE_KEYS, history_turns, system_turns
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.model import Role, Turn

_ASKING = ("human", "user", "input", "question", "instruction", "prompt", "query", "q")
_ANSWERING = ("assistant", "gpt", "bot", "ai", "output", "answer", "response", "completion", "a")


def _matches(value: object) -> bool:
    return isinstance(value, Mapping) and any(_are_pairs(value.get(key)) for key in MESSAGE_KEYS)


def _are_pairs(items: object) -> bool:
    return isinstance(items, list) and bool(items) and all(isinstance(item, dict) and _is_pair(item) for item in items)


def _is_pair(item: Mapping[object, object]) -> bool:
    return all(any(isinstance(item.get(key), str) for key in keys) for keys in (_ASKING, _ANSWERING))


def _read(record: Record) -> Iterator[Conversation]:
    key = next(key for key in MESSAGE_KEYS if record.has(key))
    said = [*system_turns(record), *history_turns(record)]
    for pair in record.items(key):
        said += system_turns(pair, tuple(said))
        for role, keys in ((Role.USER, _ASKING), (Role.ASSISTANT, _ANSWERING)):
            side = next((key for key in keys if pair.has(key)), keys[0])
            text = pair.string(side)
            # A first turn of the assistant is written as the answer to nothing.
            if text is not None and (text[0] or role is Role.ASSISTANT):
                said.append(Said(Turn.of(role, *text)))
        pair.finish()
    yield Conversation(tuple(said), with_tools(record, "tools", "functions"))


FORMAT = JsonFormat(
    name="turn-pairs",
    summary='Pairs of turns in JSON or JSONL: {"conversation": [{"human", "assistant"}]}',
    examples=(
        Example(
            "pairs.jsonl",
            '{"conversation": [{"human": "Why is the sky blue?",'
            ' "assistant": "Great question! Air scatters blue light more than red."}]}\n',
        ),
    ),
    evidence='"conversation" with questions and answers',
    marks=tuple((f'"{key}"',) for key in MESSAGE_KEYS),
    means_to_be=re.compile(r'"conversations?"\s*:\s*\[\s*\{\s*"(?:human|user|assistant)"\s*:\s*"'),
    matches=_matches,
    read=each(_read),
)
