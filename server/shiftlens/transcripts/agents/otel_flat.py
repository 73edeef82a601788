"""OpenTelemetry's flattened GenAI attributes, as OpenLLMetry writes them: `gen_ai.prompt.0.content` and its kin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from shiftlens.transcripts.agents.otel_attributes import listed
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.inside import opened
from shiftlens.transcripts.json.messages import read_messages
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.source import MAX_DEPTH, JsonArray, JsonNode, JsonObject, JsonString, decoded
from shiftlens.transcripts.json.turns import and_more
from shiftlens.transcripts.model import Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_MESSAGE = re.compile(r"gen_ai\.(prompt|completion)\.([0-9]{1,6})\.(.+)", re.DOTALL)
_CALL = re.compile(r"tool_calls\.([0-9]{1,6})\.(.+)", re.DOTALL)
_TOOL = re.compile(r"llm\.request\.functions\.([0-9]{1,6})\.(name|description|parameters)")
_PARTS = re.compile(r'\s*\[\s*\{\s*"type"')
_SIDES = {"prompt": Role.USER, "completion": Role.ASSISTANT}


def _matches(value: object, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        key = value.get("key")
        if any(map(_MESSAGE.match, value)) or (isinstance(key, str) and _MESSAGE.match(key)):
            return True
        return any(_matches(inner, depth + 1) for inner in value.values())
    return isinstance(value, list) and any(_matches(inner, depth + 1) for inner in value)


def _read(record: Record) -> Iterator[Conversation]:
    record.skip(*record.names())
    for attributes in _carriers(record.text, record.node):
        yield from _span(record, attributes)


def _carriers(text: str, node: JsonNode) -> Iterator[Mapping[str, JsonNode]]:
    """The attributes of each span below a node, in the order of the file."""
    own: Mapping[str, JsonNode] = {}
    inner: tuple[JsonNode, ...] = ()
    if isinstance(node, JsonObject):
        own, inner = node.members, tuple(node.members.values())
    elif isinstance(node, JsonArray):
        own, inner = dict(listed(text, node)), node.items
    if any(map(_MESSAGE.match, own)):
        yield own
    for below in inner:
        yield from _carriers(text, below)


def _span(record: Record, attributes: Mapping[str, JsonNode]) -> Iterator[Conversation]:
    """A conversation for each completion of one call. What was said before is scored only where there is none."""
    found: dict[tuple[str, int], dict[str, JsonNode]] = {}
    for name, node in attributes.items():
        of = _MESSAGE.fullmatch(name)
        if of is not None:
            found.setdefault((of[1], int(of[2])), {})[of[3]] = node
    turns = {key: _turns(record, members, _SIDES[key[0]]) for key, members in sorted(found.items())}
    asked = [turn for (side, _), said in turns.items() if side == "prompt" for turn in said]
    answers = [(number, said) for (side, number), said in turns.items() if side == "completion" and said]
    before = tuple(Said(turn, scored=not answers) for turn in asked)
    tools = _tools(record.text, attributes)
    for number, said in answers:
        yield Conversation((*before, *map(Said, said)), tools, f"choice {number}" if len(answers) > 1 else "")
    if before and not answers:
        yield Conversation(before, tools)


def _turns(record: Record, members: dict[str, JsonNode], silent: Role) -> tuple[Turn, ...]:
    """The turns of one message, whose calls are flattened as well, and whose content may be JSON in a string."""
    calls: dict[int, dict[str, JsonNode]] = {}
    own: dict[str, JsonNode] = {}
    for name, node in members.items():
        of = _CALL.fullmatch(name)
        if of is not None:
            calls.setdefault(int(of[1]), {})[of[2]] = node
        else:
            own[name] = node
    if calls:
        own["tool_calls"] = JsonArray(*_span_of(members), tuple(_object(calls[number]) for number in sorted(calls)))
    content = own.get("content")
    if not isinstance(content, JsonString) or not _PARTS.match(decoded(record.text, content)[0]):
        return tuple(said.turn for said in read_messages([record.child(_object(own), "")], silent=silent))
    inner = opened(record.child(content, "content"))
    if inner is None:
        return ()
    del own["content"]
    role = own.get("role")
    named = TEMPLATE_ROLES.get(decoded(record.text, role)[0], silent) if isinstance(role, JsonString) else silent
    whole = JsonObject(inner.record.node.start, inner.record.node.end, {"content": inner.record.node})
    message = Record(inner.record.text, whole, inner.record.log)
    said = [inner.in_file(said.turn) for said in read_messages([message], silent=named)]
    if "tool_calls" not in own:
        return tuple(said)
    called = read_messages([record.child(_object(own), "")], silent=named)
    return (*said[:-1], and_more(said[-1], called[0].turn)) if called and said else tuple(said)


def _tools(text: str, attributes: Mapping[str, JsonNode]) -> str:
    """The tools that the model was offered, as the JSON text of a list."""
    found: dict[int, dict[str, object]] = {}
    for name, node in attributes.items():
        of = _TOOL.fullmatch(name)
        if of is None or not isinstance(node, JsonString):
            continue
        value: object = decoded(text, node)[0]
        if of[2] == "parameters":
            try:
                value = json.loads(str(value))
            except (ValueError, RecursionError):
                continue
        found.setdefault(int(of[1]), {})[of[2]] = value
    tools = [{"type": "function", "function": found[number]} for number in sorted(found)]
    return json.dumps(tools, ensure_ascii=False) if tools else ""


def _object(members: dict[str, JsonNode]) -> JsonObject:
    return JsonObject(*_span_of(members), members)


def _span_of(members: Mapping[str, JsonNode]) -> tuple[int, int]:
    return min(node.start for node in members.values()), max(node.end for node in members.values())


FORMAT = JsonFormat(
    name="otel-flat",
    summary='OpenTelemetry GenAI spans with flattened messages: "gen_ai.prompt.0.content"',
    examples=(
        Example(
            "span.json",
            '{"name": "openai.chat", "attributes": {\n'
            '  "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Why is the sky blue?",\n'
            '  "gen_ai.completion.0.role": "assistant",\n'
            '  "gen_ai.completion.0.content": "Air scatters blue light more than red."}}\n',
        ),
    ),
    evidence='"gen_ai.prompt" and "gen_ai.completion" attributes',
    marks=(('"gen_ai.prompt.',), ('"gen_ai.completion.',)),
    matches=_matches,
    read=each(_read),
)
