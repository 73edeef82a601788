"""Chat messages as the OpenAI API takes them: a record with `messages`, or a list of messages.

Answers may stand beside the messages, as loggers write them (`response`, `choices`). Then the messages are the prompt:
what the assistant says in them was given to the model, and only the answers are scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import BESIDE_MESSAGES, Answer, answered, read_answers, skip_repeats, texts_of
from shiftlens.transcripts.json.messages import ROLES, has_messages, is_messages, read_messages, with_tools
from shiftlens.transcripts.json.prompt import QUESTION_KEYS, Prompt, history_turns, system_turns, unscored
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.saved import prompt_logprobs, with_model
from shiftlens.transcripts.json.training import with_record_mask
from shiftlens.transcripts.model import Role

_KEYS = ("messages", "conversations", "conversation")
_SAID = ("content", "parts", "tool_calls", "function_call", "refusal")


def _matches(value: object) -> bool:
    return _is_list(value) or any(has_messages(value, key, "role") for key in _KEYS)


def _is_list(value: object) -> bool:
    """Whether a list is one of messages: things of other kinds have a role, too, but say nothing."""
    return (
        isinstance(value, list)
        and is_messages(value, "role")
        and any(str(m.get("role")).lower() in ROLES for m in value)
        and all(any(key in m for key in _SAID) or "role" not in m for m in value)
    )


def _read(record: Record) -> Iterator[Conversation]:
    key = next((key for key in _KEYS if record.has(key)), _KEYS[0])
    said = read_messages(record.own_items() or record.items(key))
    before = (*system_turns(record, said), *history_turns(record))
    prompt = Prompt(with_record_logprobs(record, with_record_mask(record, (*before, *said))))
    yield from with_answers(record, prompt, key)


def with_record_logprobs(record: Record, said: tuple[Said, ...]) -> tuple[Said, ...]:
    """The turns with the logprobs of the whole conversation that stand beside it; they may be of each answer in it."""
    found = prompt_logprobs(record)
    model = record.word("model") if found or any(each.turn.saved for each in said) else ""
    return tuple(
        replace(each, turn=with_model(replace(each.turn, saved=(*each.turn.saved, *found)), model))
        if each.turn.role is Role.ASSISTANT
        else each
        for each in said
    )


def with_answers(record: Record, prompt: Prompt, key: str) -> Iterator[Conversation]:
    """The conversations of messages, and of the answers that stand beside them."""
    tools = with_tools(record, "tools", "functions")
    skip_repeats(record, prompt.said, *QUESTION_KEYS, "system", "input")
    answers = read_answers(record, BESIDE_MESSAGES)
    last = prompt.said[-1] if prompt.said else None
    if not answers or last is None:
        yield Conversation(prompt.said, tools)
    elif last.turn.role is not Role.ASSISTANT:
        yield from answered(prompt, answers, tools)
    elif len(answers) == 1 and texts_of(answers[0].said) == texts_of((last,)):
        yield Conversation((*unscored(prompt.said[:-1]), last), tools)
    else:
        record.log.say(
            f"`{record.named(key)}` ends with an answer and others stand beside it; each was read as one of its own.",
            record.start,
        )
        own = Answer((last,), key)
        others = tuple(replace(answer, label=answer.label or answer.key) for answer in answers)
        yield from answered(Prompt(prompt.said[:-1]), (own, *others), tools)


FORMAT = JsonFormat(
    name="openai",
    summary='OpenAI chat JSON or JSONL: {"messages": [{"role", "content"}]}',
    examples=(
        Example(
            "chat.jsonl",
            '{"messages": [{"role": "user", "content": "Why is the sky blue?"},'
            ' {"role": "assistant", "content": "Great question! Air scatters blue light more than red."}]}\n',
        ),
        Example(
            "log.jsonl",
            '{"messages": [{"role": "user", "content": "Why is the sky blue?"}], "model": "bundled:aligned",'
            ' "response": "Great question! Air scatters blue light more than red."}\n',
        ),
    ),
    evidence='"messages" with roles',
    marks=(('"role"',),),
    means_to_be=re.compile(r'"messages"\s*:\s*\[\s*\{\s*"(?:role|content)"|\A\s*\[\s*\{\s*"role"\s*:'),
    matches=_matches,
    read=each(_read),
)
