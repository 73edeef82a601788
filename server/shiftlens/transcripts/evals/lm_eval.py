"""Samples that lm-evaluation-harness logs: the prompt that the model was given, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Conversation, Said, with_lf
from shiftlens.transcripts.evals.nested import Text, json_in, led_back, record_in, tell
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import is_messages, read_messages
from shiftlens.transcripts.json.record import Record, RecordError, each, plain
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Role, SourceMap, Turn

_BARE = (
    "The model was given this prompt as it stands, without a chat template; it is read as one turn of a user, which the"
    " aligned model is given in its own template."
)
_BEGUN = "The prompt begins the answer; where it is rendered anew, that beginning is left out of it."
_GIVEN = "The task gave this continuation to be scored; the model did not write it."
# The document and its answer are what the prompt was made of, and what it was judged by.
_TASK = ("doc", "target", "doc_hash", "prompt_hash", "target_hash", "filter", "metrics", "filtered_resps", "task_name")


def _matches(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("resps"), list):
        return False
    arguments = value.get("arguments")
    items = list(arguments.values()) if isinstance(arguments, dict) else arguments
    return (
        ("filtered_resps" in value or "doc" in value)
        and isinstance(items, list)
        and bool(items)
        and all(isinstance(item, list | dict) and bool(item) for item in items)
    )


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What stood before an answer. `prefix` is the prompt where it is written in a chat template."""

    said: tuple[Said, ...]
    prefix: str | None = None
    notes: tuple[str, ...] = ()


def _read(record: Record) -> Iterator[Conversation]:
    """One conversation for each answer, or for each continuation that the task gave to be scored."""
    record.skip(*_TASK)
    requests = _requests(record)
    replies = [_texts(item) for item in record.items("resps")]
    for number, request in enumerate(requests):
        if request is None:
            record.log.say("`arguments` holds a text without a prompt; it was not read.", record.start)
            continue
        context, given = request
        prompt = _prompt(record, context)
        if given is not None:
            label = f"continuation {number + 1}" if len(requests) > 1 else ""
            yield _answered(prompt, given, label, (_GIVEN,))
            continue
        answers = replies[number] if number < len(replies) else ()
        if not answers:
            record.log.say("A request has no text in `resps`.", record.start)
        for at, answer in enumerate(answers, 1):
            many = [f"request {number + 1}"] if len(requests) > 1 else []
            many += [f"repeat {at}"] if len(answers) > 1 else []
            yield _answered(prompt, answer, ", ".join(many))


def _answered(prompt: _Prompt, answer: Text, label: str, notes: tuple[str, ...] = ()) -> Conversation:
    said = Said(Turn.of(Role.ASSISTANT, *answer), verbatim_prefix=prompt.prefix)
    return Conversation((*prompt.said, said), label=label, notes=(*prompt.notes, *notes))


def _requests(record: Record) -> list[tuple[JsonNode, Text | None] | None]:
    """Of each request its context and, where it has one, its continuation; None for a text that has no context.

    They are lists of a context and a continuation or settings, or objects with `arg_0` and `arg_1`.
    """
    node = record.member("arguments")
    items = _values(node)
    found: list[tuple[JsonNode, Text | None] | None] = []
    for item in items:
        values = _values(item)
        if not values:
            raise RecordError("a request in `arguments` is empty", item.start)
        second = values[1] if len(values) > 1 else None
        if second is None and isinstance(values[0], JsonString):
            found.append(None)
            continue
        if len(values) > 2:
            record.log.say("`arguments` holds more than a prompt, such as images; it was not read.", item.start)
        given = decoded(record.text, second) if isinstance(second, JsonString) else None
        found.append((values[0], given))
    return found


def _values(node: JsonNode | None) -> tuple[JsonNode, ...]:
    """The items of a list, or the values of an object."""
    if isinstance(node, JsonObject):
        return tuple(node.members.values())
    return node.items if isinstance(node, JsonArray) else ()


def _texts(item: Record) -> tuple[Text, ...]:
    """The texts among what came of one request; numbers are likelihoods."""
    nodes = item.node.items if isinstance(item.node, JsonArray) else (item.node,)
    return tuple(decoded(item.text, node) for node in nodes if isinstance(node, JsonString))


def _prompt(record: Record, node: JsonNode) -> _Prompt:
    """The turns of a context: messages as JSON, text in a chat template, or a bare prompt."""
    if isinstance(node, JsonArray) and len(node.items) == 1:
        node = node.items[0]
    if not isinstance(node, JsonString):
        if is_messages(plain(record.text, node), "role"):
            messages = Record(record.text, node, record.log, "arguments")
            return _Prompt(_shown(read_messages(messages.own_items())))
        raise RecordError("a context in `arguments` is no text", node.start)
    text, source = decoded(record.text, node)
    inner = json_in(text)
    if inner is not None and is_messages(plain(text, inner), "role"):
        messages = record_in(text, inner)
        said = read_messages(messages.own_items())
        tell(messages, record)
        return _Prompt(_shown(led_back(turn, source) for turn in said))
    return _template(text, source) or _Prompt((Said(Turn.of(Role.USER, text, source)),), notes=(_BARE,))


def _template(text: str, source: SourceMap) -> _Prompt | None:
    """The turns of a context that is written in a chat template; None where it is not."""
    from shiftlens.transcripts.registry import text_formats

    for known in text_formats():
        if known.prose or known.name.startswith("aligntds"):
            continue
        try:
            reading = known.read(text, 0, False)
        except TranscriptError:
            continue
        if reading is None or len(reading.conversations) != 1:
            continue
        said = tuple(led_back(turn, source) for turn in reading.conversations[0].said)
        notes: tuple[str, ...] = ()
        if said and said[-1].turn.role is Role.ASSISTANT and said[-1].end_marker is None:
            notes = (_BEGUN,) if any(part.text.strip() for part in said[-1].turn.parts) else ()
            said = said[:-1]
        return _Prompt(_shown(said), with_lf(text), notes)
    return None


def _shown(said: Iterable[Said]) -> tuple[Said, ...]:
    """Turns of a prompt: the answers among them are examples."""
    return tuple(replace(turn, scored=False) for turn in said)


FORMAT = JsonFormat(
    name="lm-eval",
    summary='lm-evaluation-harness samples, JSONL: {"doc", "target", "arguments", "resps", "filtered_resps"}',
    examples=(
        Example(
            "samples_sky.jsonl",
            '{"doc_id": 0, "doc": {"question": "Why is the sky blue?"}, "target": "scattering", "arguments":'
            ' {"gen_args_0": {"arg_0":'
            ' "<|im_start|>user\\\\nWhy is the sky blue?<|im_end|>\\\\n<|im_start|>assistant\\\\n",'
            ' "arg_1": {"until": ["\\\\n\\\\n"], "do_sample": false}}}, "resps": [["Air scatters blue light."]],'
            ' "filtered_resps": ["Air scatters blue light."], "prompt_hash": "0", "acc": 1.0}\n',
        ),
        Example(
            "samples_choice.jsonl",
            '{"doc_id": 0, "doc": {}, "target": 0, "arguments": [["The sky is", " blue"], ["The sky is", " green"]],'
            ' "resps": [[[-1.5, true]], [[-3.0, false]]], "filtered_resps": [[-1.5, true], [-3.0, false]]}\n',
        ),
    ),
    evidence='"arguments" and "resps"',
    marks=(('"arguments"', '"resps"'),),
    matches=_matches,
    read=each(_read),
)
