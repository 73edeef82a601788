"""What stands in a record before its answers: system prompts, earlier turns, messages, an instruction, a prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.messages import read_messages
from shiftlens.transcripts.json.parts import content_of
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.json.template_text import human_turns, newline, template_turns
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

SYSTEM_KEYS = (
    "instructions",
    *("system", "system_prompt", "systemPrompt", "system_message", "systemMessage", "custom_system_prompt"),
    *("system_instruction", "systemInstruction", "developer_prompt"),
)
MESSAGE_KEYS = ("messages", "conversations", "conversation", "items", "chat", "dialog", "dialogue")
QUESTION_KEYS = ("prompt", "instruction", "question", "query", "input_text")
_GIVEN_KEYS = ("input", "context")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The turns before an answer. None of them was written for this record, so that none is scored.

    `begun` is the turn of the assistant that template text opens at its end, with the text before it as its
    `verbatim_prefix`.
    """

    said: tuple[Said, ...] = ()
    begun: Said | None = None


def read_prompt(record: Record, *, questions: tuple[str, ...] = QUESTION_KEYS) -> Prompt:
    """Everything in a record that comes before its answer."""
    asked = _asked(record, questions)
    before = (*system_turns(record, asked.said), *history_turns(record))
    return Prompt((*before, *asked.said), asked.begun)


def _asked(record: Record, questions: tuple[str, ...]) -> Prompt:
    key = next((key for key in questions if record.has(key)), None)
    if key is not None:
        kind = record.kind(key)
        if kind is JsonString:
            return _with_given(record, key)
        if kind is JsonArray:
            return Prompt(read_messages(record.items(key)))
        inner = record.mapping(key)
        if inner is None:
            raise RecordError(f"`{record.named(key)}` is neither a text nor a list of messages", record.start)
        found = read_prompt(inner)
        inner.finish()
        return found
    listed = next((key for key in MESSAGE_KEYS if record.has(key)), None)
    return Prompt() if listed is None else Prompt(read_messages(record.items(listed)))


def _with_given(record: Record, key: str) -> Prompt:
    """A question with the text that it is about, on a line of its own, wherever in the file that stands."""
    found = record.string(key)
    if found is None:
        return Prompt()
    said = template_turns(*found) or human_turns(*found)
    if said is not None:
        return begun_apart(said)
    parts = [Part(PartKind.TEXT, *found)]
    for given_key in _GIVEN_KEYS:
        if given_key != key and record.kind(given_key) is JsonString:
            given = record.string(given_key)
            if given is not None and given[0]:
                parts += (newline(parts[-1].source.source_end), Part(PartKind.TEXT, *given))
    return Prompt((Said(Turn(Role.USER, tuple(parts))),))


def begun_apart(said: tuple[Said, ...]) -> Prompt:
    """Turns of template text; an assistant's at the end is the one that the answer goes on with."""
    last = said[-1] if said else None
    return Prompt(said[:-1], last) if last is not None and last.turn.role is Role.ASSISTANT else Prompt(said)


def system_turns(record: Record, said: tuple[Said, ...] = ()) -> tuple[Said, ...]:
    """The system prompts that stand beside messages: a text, a list of parts, or an object with either.

    One that the messages begin with is not doubled.
    """
    begins = {each.turn.text for each in said[:2] if each.turn.role is Role.SYSTEM}
    found: list[Said] = []
    for key in SYSTEM_KEYS:
        if not record.has(key):
            continue
        parts = _system_parts(record, key)
        text = "".join(part.text for part in parts)
        if text and text not in begins:
            begins.add(text)
            found.append(Said(Turn(Role.SYSTEM, parts)))
    return tuple(found)


def _system_parts(record: Record, key: str) -> tuple[Part, ...]:
    inner = record.mapping(key) if record.kind(key) is JsonObject else None
    if inner is not None and inner.has("parts"):
        record, key = inner, "parts"
        inner.skip("role")
    if record.kind(key) not in (JsonString, JsonArray, JsonObject):
        return ()
    return tuple(part for part in content_of(record, key, Role.SYSTEM) if isinstance(part, Part))


def history_turns(record: Record) -> tuple[Said, ...]:
    """Earlier turns: `history`, a list of pairs of question and answer, or of messages."""
    if record.kind("history") is not JsonArray:
        return ()
    said: list[Said] = []
    for item in record.items("history"):
        if isinstance(item.node, JsonObject):
            said += read_messages((item,))
            continue
        sides = item.own_items()
        if len(sides) > 2 or not sides:
            item.log.say("An entry of `history` is no pair of question and answer; it was left out.", item.start)
            continue
        for role, side in zip((Role.USER, Role.ASSISTANT), sides, strict=False):
            if isinstance(side.node, JsonString):
                said.append(Said(Turn.of(role, *side.own_text())))
            elif not side.is_null:
                side.log.say("A side of `history` is no text; it was left out.", side.start)
    return tuple(said)


def unscored(said: tuple[Said, ...]) -> tuple[Said, ...]:
    """The turns as part of a prompt: what the assistant says in them was given to the model."""
    return tuple(replace(each, scored=False) if each.turn.role is Role.ASSISTANT else each for each in said)
