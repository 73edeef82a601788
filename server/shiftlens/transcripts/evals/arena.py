"""Chatbot Arena's battles: two models, two conversations."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.evals.lmsys import COLLECTED
from shiftlens.transcripts.evals.nested import texts_of
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import has_messages, read_messages
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.model import Role, Turn

_SIDES = ("a", "b")
# How the battle was judged; `full_conversation` tells the two conversations again.
_JUDGED = (
    *("anony", "arena", "category_tag", "conv_metadata", "dedup_tag", "evaluation_order", "evaluation_session_id"),
    *("full_conversation", "is_code", "is_refusal", "toxic_chat_tag", "winner", "winner_model_a", "winner_model_b"),
    *("winner_tie",),
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if all(has_messages(value, f"conversation_{side}", "role", "content") for side in _SIDES):
        return True
    named = all(isinstance(value.get(f"model_{side}"), str) for side in _SIDES)
    return named and all(isinstance(value.get(key), str) for key in ("prompt", "response_a", "response_b"))


def _read(record: Record) -> Iterator[Conversation]:
    record.skip(*_JUDGED, *COLLECTED)
    names = [record.word(f"model_{side}") for side in _SIDES]
    same = names[0] == names[1]
    for side, name in zip(_SIDES, names, strict=True):
        label = f"{name} ({side})".lstrip() if same else name or side
        yield Conversation(_said(record, side), label=label)


def _said(record: Record, side: str) -> tuple[Said, ...]:
    if record.has(f"conversation_{side}"):
        messages = record.items(f"conversation_{side}")
        for message in messages:
            message.skip("num_tokens", *COLLECTED)
        return read_messages(messages)
    asked, said = texts_of(record, "prompt"), texts_of(record, f"response_{side}")
    if len(asked) != len(said):
        raise RecordError(f"it has {len(asked)} prompts and {len(said)} answers", record.start)
    turns: list[Said] = []
    for question, answer in zip(asked, said, strict=True):
        turns += (Said(Turn.of(Role.USER, *question)), Said(Turn.of(Role.ASSISTANT, *answer)))
    return tuple(turns)


FORMAT = JsonFormat(
    name="arena",
    summary='Chatbot Arena pairs, JSON or JSONL: {"model_a", "conversation_a", "model_b", "conversation_b", "winner"}',
    examples=(
        Example(
            "arena.jsonl",
            '{"model_a": "one", "model_b": "two", "winner": "model_a", "conversation_a": ['
            '{"role": "user", "content": "Why is the sky blue?"}, {"role": "assistant", "content": "Scattering."}],'
            ' "conversation_b": [{"role": "user", "content": "Why is the sky blue?"},'
            ' {"role": "assistant", "content": "Great question! Air scatters blue light more than red."}]}\n',
        ),
        Example(
            "battles.jsonl",
            '{"id": 1, "model_a": "one", "model_b": "two", "prompt": "[\\"Why is the sky blue?\\"]",'
            ' "response_a": "[\\"Scattering.\\"]", "response_b": "[\\"Air scatters blue light.\\"]",'
            ' "winner_model_a": 1}\n',
        ),
    ),
    evidence='"model_a" and "model_b" with a conversation each',
    marks=(('"conversation_a"', '"conversation_b"'), ('"model_a"', '"response_a"', '"response_b"')),
    matches=_matches,
    read=each(_read),
)
