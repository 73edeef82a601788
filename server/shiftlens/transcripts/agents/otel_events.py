"""OpenTelemetry's older GenAI events: one for each message (`gen_ai.user.message`) and each answer (`gen_ai.choice`).

They are log records, of which the body is the message, or events of spans, of which the attributes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shiftlens.transcripts.agents.otel_attributes import bare, listed
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.inside import Opened, opened
from shiftlens.transcripts.json.messages import read_messages
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import MAX_DEPTH, JsonArray, JsonNode, JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Role, Turn

_CHOICE = "gen_ai.choice"
_ROLES = {
    "gen_ai.system.message": Role.SYSTEM,
    "gen_ai.user.message": Role.USER,
    "gen_ai.assistant.message": Role.ASSISTANT,
    "gen_ai.tool.message": Role.TOOL,
    _CHOICE: Role.ASSISTANT,
}
_NAMES = ("event_name", "eventName", "name", "event.name")
_SPANS = ("span_id", "spanId")
_CONTENT = "gen_ai.event.content"


@dataclass(slots=True)
class _Call:
    """One call of a model: the messages that it was given, and its answers."""

    asked: list[Turn] = field(default_factory=list)
    answers: list[list[Turn]] = field(default_factory=list)

    def conversations(self) -> Iterator[Conversation]:
        before = tuple(Said(turn, scored=not self.answers) for turn in self.asked)
        for number, said in enumerate(self.answers):
            label = f"choice {number}" if len(self.answers) > 1 else ""
            yield Conversation((*before, *map(Said, said)), label=label)
        if before and not self.answers:
            yield Conversation(before)


def _matches(value: object, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        if any(isinstance(each, str) and each in _ROLES for each in value.values()):
            return True
        return any(_matches(each, depth + 1) for each in value.values())
    return isinstance(value, list) and any(_matches(each, depth + 1) for each in value)


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    """Events of one span are one call; a message after an answer begins another."""
    done: list[_Call] = []
    going: dict[str, _Call] = {}
    for record in records:
        for name, span, event in _events(record.text, record.node, "0"):
            call = going.get(span)
            if call is None or (call.answers and name != _CHOICE):
                call = going[span] = _Call()
                done.append(call)
            try:
                turns = _turns(record, name, event)
            except RecordError as error:
                record.log.say(f"An event was left out: {error.reason}.", error.offset)
                continue
            if name != _CHOICE:
                call.asked += turns
            elif turns:
                call.answers.append(turns)
    for call in done:
        yield from call.conversations()


def _events(text: str, node: JsonNode, parent: str) -> Iterator[tuple[str, str, Mapping[str, JsonNode]]]:
    """Each event below a node with its name and the span that it belongs to, in the order of the file."""
    if isinstance(node, JsonArray):
        for item in node.items:
            yield from _events(text, item, parent)
    elif isinstance(node, JsonObject):
        own = {**_attributes(text, node), **node.members}
        words = {key: decoded(text, each)[0] for key, each in own.items() if isinstance(each, JsonString)}
        name = next((words[key] for key in _NAMES if words.get(key) in _ROLES), None)
        span = next((words[key] for key in _SPANS if key in words), parent)
        context = node.members.get("context")
        if isinstance(context, JsonObject) and isinstance(within := context.members.get("span_id"), JsonString):
            span = decoded(text, within)[0]
        if name is not None:
            yield name, span, own
            return
        for each in node.members.values():
            yield from _events(text, each, span)


def _attributes(text: str, node: JsonObject) -> Mapping[str, JsonNode]:
    given = node.members.get("attributes")
    if isinstance(given, JsonArray):
        return dict(listed(text, given))
    return given.members if isinstance(given, JsonObject) else {}


def _turns(record: Record, name: str, event: Mapping[str, JsonNode]) -> list[Turn]:
    body = event.get("body")
    if body is not None:
        found: Opened | None = Opened(record.child(bare(record.text, body), "body"))
    elif _CONTENT in event:
        found = opened(record.child(event[_CONTENT], _CONTENT))
    else:
        said = {key: event[key] for key in ("role", "content", "tool_calls", "id", "message") if key in event}
        start = min((node.start for node in said.values()), default=record.start)
        found = Opened(record.child(JsonObject(start, start, said), ""))
    if found is None:
        return []
    message = found.record
    if isinstance(message.node, JsonString):
        # A body that is the JSON of a message, as exporters without structured bodies write it.
        inner = opened(message)
        if inner is None:
            return []
        found, message = inner, inner.record
    if name == _CHOICE and (choice := message.mapping("message")) is not None:
        message.skip("index", "finish_reason")
        message.finish()
        message = choice
    return [found.in_file(said.turn) for said in read_messages([message], silent=_ROLES[name])]


FORMAT = JsonFormat(
    name="otel-events",
    summary='OpenTelemetry GenAI events, one a message: "gen_ai.user.message" and "gen_ai.choice"',
    examples=(
        Example(
            "events.jsonl",
            '{"event_name": "gen_ai.user.message", "span_id": "1", "body": {"content": "Why is the sky blue?"}}\n'
            '{"event_name": "gen_ai.choice", "span_id": "1", "body": {"index": 0, "finish_reason": "stop",'
            ' "message": {"role": "assistant", "content": "Air scatters blue light more than red."}}}\n',
        ),
    ),
    evidence='"gen_ai" events',
    marks=tuple((f'"{name}"',) for name in _ROLES),
    matches=_matches,
    read=_read,
    whole_file=True,
)
