"""What stands in a record as the answer to its prompt: a text, several, messages, or what a server sent back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from shiftlens.text.source_map import slice_of
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.json.messages import is_item, is_item_type, read_messages
from shiftlens.transcripts.json.parts import reasoning_fields
from shiftlens.transcripts.json.prompt import Prompt, unscored
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.saved import saved_in, with_model, with_saved
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString
from shiftlens.transcripts.json.template_text import answer_text
from shiftlens.transcripts.model import Role

ANSWER_KEYS = (
    *("response", "completion", "generated_text", "generation", "output", "answer", "output_text", "choices"),
    *("responses", "completions", "generations", "outputs", "answers"),
)
"""Names of members that hold answers. The first that a record has is read; of the others the user is told."""
BESIDE_MESSAGES = (*ANSWER_KEYS, "content")

_TEXT_KEYS = ("response", "text", "generated_text", "content", "completion", "output", "answer", "output_text", "value")
_OF_SERVERS = (
    "done_reason",
    "content_filter_results",
    "prompt_filter_results",
    "status",
    "status_code",
    "type",
    "param",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The turns of one answer, what tells it from others to the same prompt, and the member that holds it."""

    said: tuple[Said, ...]
    label: str = ""
    key: str = ""


# Of a quiz, these are the answers to choose from.
_OF_OBJECTS = ("choices", "answers")


def has_answer(value: Mapping[object, object], keys: Iterable[str] = ANSWER_KEYS) -> bool:
    """Whether a plain object has an answer under one of `keys`."""
    return any(
        is_answer(found) and (key not in _OF_OBJECTS or (isinstance(found, list) and isinstance(found[0], dict)))
        for key in keys
        if (found := value.get(key)) is not None
    )


def is_answer(value: object) -> bool:
    """Whether a plain value has the shape of an answer, or of a list of answers."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, (str, dict)) and is_answer(item) for item in value)
    if isinstance(value, dict):
        return is_answer_object(value)
    return isinstance(value, str)


def is_answer_object(value: dict[object, object]) -> bool:
    """Whether a plain object is a message, or what a server sends back."""
    if isinstance(value.get("role", value.get("from")), str) or is_item_type(value.get("type")):
        return True
    return any(isinstance(value.get(key), (str, list, dict)) for key in (*_TEXT_KEYS, "choices", "message", "body"))


def read_answers(record: Record, keys: Iterable[str] = ANSWER_KEYS) -> tuple[Answer, ...]:
    """The answers under the first of `keys` that holds some; reasoning beside a single one is its reasoning."""
    model = record.word("model")
    for key in keys:
        if key in _OF_OBJECTS and not record.lists_objects(key):
            continue
        if record.has(key) and (found := tuple(_under(record, key))):
            found = tuple(replace(each, said=of_model(each.said, model)) for each in found)
            if len(found) > 1:
                return found
            said = with_saved(found[0].said, saved_in(record, model))
            if len(said) == 1 and (thought := reasoning_fields(record)):
                said = (replace(said[0], turn=replace(said[0].turn, parts=(*thought, *said[0].turn.parts))),)
            return (Answer(said, key=key),)
    return ()


def _under(record: Record, key: str) -> Iterator[Answer]:
    kind = record.kind(key)
    if kind is JsonString:
        text = record.string(key)
        if text is not None:
            yield Answer((answer_text(*text),))
    elif kind is JsonArray:
        yield from _listed(record, key)
    elif kind is JsonObject and (inner := record.mapping(key)) is not None:
        yield from answers_of(inner)


def _listed(record: Record, key: str) -> Iterator[Answer]:
    items = record.items(key)
    if items and all(isinstance(item.node, JsonObject) and (names_speaker(item) or is_item(item)) for item in items):
        yield Answer(read_messages(items))
        return
    for item in items:
        if isinstance(item.node, JsonString):
            yield Answer((answer_text(*item.own_text()),))
        elif isinstance(item.node, JsonObject):
            yield from answers_of(item)
        elif not item.is_null:
            item.log.say(f"An item of `{record.named(key)}` is no answer; it was left out.", item.start)


def names_speaker(record: Record) -> bool:
    """Whether an object is a message."""
    return record.kind("role") is JsonString or record.kind("from") is JsonString


def answers_of(record: Record) -> tuple[Answer, ...]:
    """The answers in an object: a message, what a server sent back, or a text with its writer."""
    record.skip(*_OF_SERVERS)
    found: tuple[Answer, ...] = ()
    if names_speaker(record):
        found = (Answer(read_messages((record,))),)
    elif record.kind("message") is JsonObject and (message := record.mapping("message")) is not None:
        found = (Answer(read_messages((message,), silent=Role.ASSISTANT)),)
    elif record.kind("body") is JsonObject and (body := record.mapping("body")) is not None:
        found = answers_of(body)
    else:
        key = next((key for key in ("choices", "candidates", *_TEXT_KEYS) if record.has(key)), None)
        if key is not None:
            found = tuple(_under(record, key))
    writer = record.word("model") or record.word("generator")
    if len(found) == 1:
        found = (replace(found[0], said=with_saved(found[0].said, saved_in(record, writer))),)
    found = tuple(replace(each, said=of_model(each.said, writer)) for each in found)
    if not found:
        record.log.say("An answer holds no text that could be read; it was left out.", record.start)
    record.finish()
    return tuple(replace(each, label=each.label or writer) for each in found)


def of_model(said: tuple[Said, ...], model: str) -> tuple[Said, ...]:
    """The turns, with the name of the model that their logprobs are of where it is not known yet."""
    return tuple(replace(each, turn=with_model(each.turn, model)) for each in said)


def answered(prompt: Prompt, answers: tuple[Answer, ...], tools: str = "") -> Iterator[Conversation]:
    """A conversation for each answer to a prompt."""
    for answer in answers:
        said, notes = (answer.said, ()) if prompt.begun is None else continued(prompt.begun, answer.said)
        yield Conversation((*unscored(prompt.said), *said), tools, answer.label, notes)


_BEGUN = "The prompt begins the answer itself. Where the prompt is rendered anew, these first words are left out."


def continued(begun: Said, said: tuple[Said, ...]) -> tuple[tuple[Said, ...], tuple[str, ...]]:
    """An answer to template text, which opened the turn: what stood before it is its verbatim prefix."""
    if not said or said[0].turn.role is not Role.ASSISTANT or begun.verbatim_prefix is None:
        return said, ((_BEGUN,) if begun.turn.text else ())
    prefix = begun.verbatim_prefix + "".join(part.text for part in begun.turn.parts)
    return (replace(said[0], verbatim_prefix=prefix), *said[1:]), ((_BEGUN,) if begun.turn.text else ())


def skip_repeats(record: Record, said: tuple[Said, ...], *keys: str) -> None:
    """Pass over texts beside messages that are one of their turns once more."""
    texts = {each.turn.text for each in said}
    for key in keys:
        if record.kind(key) is JsonString and (found := record.peek(key)) in texts and found:
            record.skip(key)


def texts_of(said: tuple[Said, ...]) -> list[tuple[Role, tuple[str, ...]]]:
    """Who says what, to compare conversations by."""
    return [(each.turn.role, tuple(part.text for part in each.turn.parts)) for each in said]


# A shorter prompt may be what the answer says by itself ("Hi", "Hi there").
_SURELY_REPEATED = 20


def repeated_prompt_off(record: Record, questions: Iterable[str], answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """The answers less the prompt, where `generated_text` is the full text, as Transformers' pipeline gives it."""
    asked = next((text for key in questions if (text := record.peek(key))), "")
    if len(asked) < _SURELY_REPEATED or not record.has("generated_text"):
        return answers
    kept: list[Answer] = []
    for answer in answers:
        parts = answer.said[0].turn.parts if len(answer.said) == 1 else ()
        if len(parts) != 1 or not parts[0].text.startswith(asked):
            return answers
        text, source = slice_of(parts[0].text, parts[0].source, len(asked), len(parts[0].text))
        rest = (replace(parts[0], text=text, source=source),)
        said = replace(answer.said[0], turn=replace(answer.said[0].turn, parts=rest))
        kept.append(replace(answer, said=(said,)))
    if kept:
        record.log.say("`generated_text` begins with the prompt; what follows it was read as the answer.", record.start)
    return tuple(kept)
