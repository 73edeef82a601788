"""OpenTelemetry's GenAI attributes: the messages of each call to a model, as JSON or as JSON in a string.

They are looked for in any record that holds them: spans and events as Python, OTLP and Jaeger write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shiftlens.transcripts.agents.otel_attributes import INPUT, OUTPUT, SYSTEM, TOOLS, carriers, has_messages
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.inside import opened
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonArray, JsonObject, JsonString, decoded
from shiftlens.transcripts.json.turns import call, parts, spelled, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_OTLP = re.compile(r'\{\s*"(?:kvlist|array)Value"')


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    for record in records:
        for attributes in carriers(record):
            yield from _call(attributes)


def _call(attributes: dict[str, Record]) -> Iterator[Conversation]:
    """A conversation for each answer of one call. What was said before is scored only where no answer is held."""
    asked = [*_turns(attributes.get(SYSTEM), Role.SYSTEM), *_turns(attributes.get(INPUT))]
    answers = list(_turns(attributes.get(OUTPUT)))
    tools = _tools(attributes.get(TOOLS))
    said = tuple(Said(each, scored=not answers) for each in asked)
    for number, answer in enumerate(answers):
        label = f"choice {number}" if len(answers) > 1 else ""
        yield Conversation((*said, Said(answer)), tools, label)
    if not answers and said:
        yield Conversation(said, tools)


def _tools(given: Record | None) -> str:
    if given is None:
        return ""
    if isinstance(given.node, JsonString):
        return decoded(given.text, given.node)[0]
    return given.text[given.node.start : given.node.end]


def _turns(given: Record | None, role: Role | None = None) -> Iterator[Turn]:
    """The turns of a list of messages or, where the role is told, of a list of parts."""
    found = opened(given) if given is not None else None
    if found is None:
        return
    record = found.record
    try:
        items = record.own_items() if isinstance(record.node, JsonArray) else (record,)
        if role is not None and not any(item.has("role") for item in items):
            system = [part for item in items for part in _part(item, PartKind.TEXT) if isinstance(part, Part)]
            read = [turn(role, system, record.start)] if system else []
        else:
            read = [each for item in items for each in _message(item)]
    except RecordError as error:
        record.log.say(f"Messages were left out: {error.reason}.", error.offset)
        return
    yield from map(found.in_file, read)


def _message(message: Record) -> Iterator[Turn]:
    if not isinstance(message.node, JsonObject):
        raise RecordError("a message is no object", message.start)
    name = message.word("role") or "assistant"
    role = TEMPLATE_ROLES.get(name)
    if role is None:
        message.log.say(f"The role {name!r} is not known; the turn was left out.", message.start)
        return
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    own: list[Part] = []
    began = False
    whole = message.member("content")
    if isinstance(whole, JsonString):
        own += parts(kind, message.string("content"))
    key = "parts" if message.has("parts") or not isinstance(whole, JsonArray) else "content"
    for item in message.items(key):
        for found in _part(item, kind):
            if isinstance(found, Part):
                own.append(found)
            else:
                if own:
                    yield turn(role, own, message.start)
                yield found
                own = []
            began = True
    if own or not began:
        yield turn(role, own, message.start, message.word("name"))
    message.finish()


def _part(item: Record, kind: PartKind) -> Iterator[Part | Turn]:
    """A part by its type. What a tool gave is a turn of its own."""
    if isinstance(item.node, JsonString):
        yield from parts(kind, decoded(item.text, item.node))
        return
    type_ = item.word("type")
    if type_ in ("", "text"):
        yield from parts(kind, item.string("content") or item.string("text"))
    elif type_ in ("reasoning", "thinking"):
        yield from parts(PartKind.REASONING, item.string("content") or item.string("text"))
    elif type_ == "tool_call":
        arguments = spelled(item, "arguments")
        if arguments is not None and _OTLP.match(arguments[0]):
            item.log.say("The arguments of a call were read as OTLP spells them.", item.start)
        yield call(item.word("name"), arguments, item.start, item.word("id"))
    elif type_ == "tool_call_response":
        key = next((key for key in ("response", "result", "content") if item.has(key)), "response")
        result = parts(PartKind.TOOL_RESULT, spelled(item, key))
        yield turn(Role.TOOL, result, item.start, item.word("name"), item.word("id"))
    else:
        item.log.say(f"Parts of the type {type_!r} were not read.", item.start)
        return
    item.finish()


FORMAT = JsonFormat(
    name="otel",
    summary='OpenTelemetry GenAI spans and events: "gen_ai.input.messages" and "gen_ai.output.messages"',
    examples=(
        Example(
            "span.json",
            '{"name": "chat m", "attributes": {\n'
            '  "gen_ai.input.messages": "[{\\"role\\": \\"user\\", \\"parts\\": [{\\"type\\": \\"text\\",'
            ' \\"content\\": \\"Why is the sky blue?\\"}]}]",\n'
            '  "gen_ai.output.messages": "[{\\"role\\": \\"assistant\\", \\"parts\\": [{\\"type\\": \\"text\\",'
            ' \\"content\\": \\"Air scatters blue light more than red.\\"}], \\"finish_reason\\": \\"stop\\"}]"}}\n',
        ),
    ),
    evidence='"gen_ai" messages',
    marks=((f'"{INPUT}"',), (f'"{OUTPUT}"',)),
    matches=has_messages,
    read=_read,
)
