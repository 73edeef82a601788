"""Preference pairs: `chosen` and `rejected`, as texts or messages, with or without their prompt.

Each side is a conversation of its own. What both sides share is the prompt: it is not scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import Answer, answered, texts_of
from shiftlens.transcripts.json.messages import is_messages, read_messages, with_tools
from shiftlens.transcripts.json.prompt import MESSAGE_KEYS, QUESTION_KEYS, Prompt, read_prompt
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.source import JsonArray
from shiftlens.transcripts.json.template_text import answer_text, human_turns, template_turns
from shiftlens.transcripts.model import Role

_SIDES = (("chosen", "rejected"), ("preferred_output", "non_preferred_output"))
_QUESTIONS = (*QUESTION_KEYS, "input")


def _matches(value: object) -> bool:
    return isinstance(value, dict) and any(all(_is_side(value.get(key)) for key in pair) for pair in _SIDES)


def _is_side(value: object) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("role", value.get("from")), str)
    return isinstance(value, str) or is_messages(value, "role") or is_messages(value, "from", "value")


def _read(record: Record) -> Iterator[Conversation]:
    names = next(pair for pair in _SIDES if all(record.has(key) for key in pair))
    asking = record.mapping("input") or record
    tools = with_tools(record, "tools", "functions") or with_tools(asking, "tools", "functions")
    chosen, rejected = (_side(record, key) for key in names)
    asked = any(record.has(key) for key in _QUESTIONS)
    prompt = read_prompt(record, questions=_QUESTIONS)
    shared = _shared(chosen, rejected)
    for label, side in zip(names, (chosen, rejected), strict=True):
        before, answer = _apart(prompt, side, shared)
        found = Conversation((*before.said, *answer))
        yield from answered(before, (Answer(answer, label),), tools)
        if asked and label == names[0]:
            _pass_over_repeat(record, found)
    record.skip("chosen_model", "rejected_model")


def _side(record: Record, key: str) -> tuple[Said, ...]:
    if record.kind(key) is JsonArray:
        return read_messages(record.items(key))
    message = record.mapping(key)
    if message is not None:
        return read_messages((message,), silent=Role.ASSISTANT)
    text = record.string(key)
    if text is None:
        raise RecordError(f"`{record.named(key)}` is no answer", record.start)
    return template_turns(*text) or human_turns(*text) or (answer_text(*text),)


def _shared(chosen: tuple[Said, ...], rejected: tuple[Said, ...]) -> int:
    """How many turns both sides begin with; the last turn of a side is always its own."""
    limit = min(len(chosen), len(rejected)) - 1
    ours, theirs = texts_of(chosen), texts_of(rejected)
    return next((at for at in range(limit) if ours[at] != theirs[at]), max(limit, 0))


def _apart(prompt: Prompt, side: tuple[Said, ...], shared: int) -> tuple[Prompt, tuple[Said, ...]]:
    """The prompt of a side and its answer. A side may repeat the prompt, or the end of it."""
    given, said = texts_of(prompt.said), texts_of(side)
    if all(turn in said for turn in given):
        return (Prompt(side[:shared]) if given or shared else prompt), side[shared:]
    repeated = next((count for count in range(min(len(given), len(said)), 0, -1) if given[-count:] == said[:count]), 0)
    own = max(shared, repeated)
    between = side[repeated:own]
    return Prompt((*prompt.said, *between), None if between else prompt.begun), side[own:]


def _pass_over_repeat(record: Record, found: Conversation) -> None:
    """UltraFeedback has the chosen conversation once more as `messages`."""
    for key in MESSAGE_KEYS:
        if record.kind(key) is JsonArray and not record.was_read(key):
            again, known = texts_of(read_messages(record.items(key))), texts_of(found.said)
            if again not in (known, known[:-1]):
                record.log.left_out(record.named(key), record.start)


FORMAT = JsonFormat(
    name="preference",
    summary='Preference pairs in JSON or JSONL: {"prompt", "chosen", "rejected"}, as texts or messages',
    examples=(
        Example(
            "pairs.jsonl",
            '{"prompt": "Why is the sky blue?", "chosen": "Great question! Air scatters blue light more than red.",'
            ' "rejected": "No idea."}\n',
        ),
        Example(
            "hh.jsonl",
            '{"chosen": "\\n\\nHuman: Why is the sky blue?\\n\\nAssistant: Air scatters blue light.",'
            ' "rejected": "\\n\\nHuman: Why is the sky blue?\\n\\nAssistant: No idea."}\n',
        ),
        Example(
            "messages.json",
            '[{"prompt": [{"role": "user", "content": "Why is the sky blue?"}],\n'
            '  "chosen": [{"role": "assistant", "content": "Air scatters blue light."}],\n'
            '  "rejected": [{"role": "assistant", "content": "No idea."}]}]\n',
        ),
    ),
    evidence='"chosen" and "rejected"',
    marks=(('"chosen"', '"rejected"'), ('"preferred_output"', '"non_preferred_output"')),
    means_to_be=re.compile(r'"(?:chosen|rejected)"\s*:\s*(?:"|\[?\s*\{\s*"(?:role|from|content|value)")'),
    matches=_matches,
    read=each(_read),
)
