"""Samples that lm-evaluation-harness logs: the prompt that the model was given, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.evals.nested import Text, json_in, led_back, record_in, tell
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.answers import continued
from shiftlens.transcripts.json.messages import is_messages, read_messages
from shiftlens.transcripts.json.prompt import Prompt, begun_apart, unscored
from shiftlens.transcripts.json.record import Record, RecordError, each, plain
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonObject, JsonString, decoded
from shiftlens.transcripts.json.template_text import template_turns
from shiftlens.transcripts.model import Role, Turn

_BARE = (
    "The model was given this prompt as it stands, without a chat template; it is read as one turn of a user, which the"
    " aligned model is given in its own template."
)
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


def _read(record: Record) -> Iterator[Conversation]:
    """One conversation for each answer, or for each continuation that the task gave to be scored."""
    names = record.plain("metrics")
    record.skip(*_TASK, *(name for name in (names if isinstance(names, list) else ()) if isinstance(name, str)))
    requests = _requests(record)
    replies = [_texts(item) for item in record.items("resps")]
    for number, request in enumerate(requests):
        if request is None:
            record.log.say("`arguments` holds a text without a prompt; it was not read.", record.start)
            continue
        context, given = request
        prompt, bare = _prompt(record, context)
        if given is not None:
            label = f"continuation {number + 1}" if len(requests) > 1 else ""
            yield _answered(prompt, given, label, *bare, _GIVEN)
            continue
        answers = replies[number] if number < len(replies) else ()
        if not answers:
            record.log.say("A request has no text in `resps`.", record.start)
        for at, answer in enumerate(answers, 1):
            many = [f"request {number + 1}"] if len(requests) > 1 else []
            many += [f"repeat {at}"] if len(answers) > 1 else []
            yield _answered(prompt, answer, ", ".join(many), *bare)


def _answered(prompt: Prompt, answer: Text, label: str, *notes: str) -> Conversation:
    said: tuple[Said, ...] = (Said(Turn.of(Role.ASSISTANT, *answer)),)
    if prompt.begun is not None:
        said, more = continued(prompt.begun, said)
        notes = (*more, *notes)
    return Conversation((*unscored(prompt.said), *said), label=label, notes=notes)


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


def _prompt(record: Record, node: JsonNode) -> tuple[Prompt, tuple[str, ...]]:
    """The turns of a context, and a note where it is a bare prompt: no messages, and in no chat template."""
    if isinstance(node, JsonArray) and len(node.items) == 1:
        node = node.items[0]
    if not isinstance(node, JsonString):
        if is_messages(plain(record.text, node), "role"):
            return Prompt(read_messages(Record(record.text, node, record.log, "arguments").own_items())), ()
        raise RecordError("a context in `arguments` is no text", node.start)
    text, source = decoded(record.text, node)
    inner = json_in(text)
    if inner is not None and is_messages(plain(text, inner), "role"):
        messages = record_in(text, inner)
        said = read_messages(messages.own_items())
        tell(messages, record)
        return Prompt(tuple(led_back(turn, source) for turn in said)), ()
    turns = template_turns(text, source)
    if turns is not None:
        return begun_apart(turns), ()
    return Prompt((Said(Turn.of(Role.USER, text, source)),)), (_BARE,)


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
