"""The messages of an Inspect log: content by type, tool calls, tool results, and texts kept apart as attachments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shiftlens.text.source_map import SourceMap, joined
from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonObject, JsonString, decoded
from shiftlens.transcripts.model import Part, PartKind, Role, ToolCall, Turn

Text = tuple[str, SourceMap]

MAX_CHARACTERS = 100_000_000
ATTACHMENT = "attachment://"
SUMMARY = "A summary stands in place of the reasoning itself; it was read as what the model thought."
REDACTED = "The log holds reasoning only encrypted, so what the model thought is not known; it was not read."

_ROLES = {"system": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT, "tool": Role.TOOL}
_ATTACHED = re.compile(r'"attachment://([0-9a-f]{1,64})"')


@dataclass
class SampleTexts:
    """Texts that a sample's messages name by `attachment://` and a key, and what was missed in reading them."""

    attached: Mapping[str, JsonNode]
    missing: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)
    characters: int = 0
    _decoded: dict[str, Text] = field(default_factory=dict)

    def text(self, record: Record, found: Text) -> Text:
        """The text that a text stands for: itself, or the attachment that it names."""
        if not found[0].startswith(ATTACHMENT):
            return found
        key = found[0][len(ATTACHMENT) :]
        node = self._node(key, record)
        if node is None:
            return found
        if key not in self._decoded:
            self._decoded[key] = decoded(record.text, node)
        return self._decoded[key]

    def json(self, record: Record, node: JsonNode) -> Text:
        """The JSON text of a value as the file spells it, with the literals of attachments in their places."""
        parts: list[Text] = []
        at = node.start
        for match in _ATTACHED.finditer(record.text, node.start, node.end):
            attached = self._node(match[1], record)
            if attached is not None:
                parts.append(_verbatim(record, at, match.start()))
                parts.append(_verbatim(record, attached.start, attached.end))
                at = match.end()
        return joined([*parts, _verbatim(record, at, node.end)])

    def _node(self, key: str, record: Record) -> JsonString | None:
        """The literal of an attachment. A short name can stand for a long text, over and over: so they are counted."""
        node = self.attached.get(key)
        if not isinstance(node, JsonString):
            self.missing.add(key)
            return None
        self.characters += node.end - node.start
        if self.characters > MAX_CHARACTERS:
            raise RecordError(f"its attachments make more than {MAX_CHARACTERS:,} characters", record.start)
        return node


def read_inspect_messages(messages: Iterable[Record], texts: SampleTexts) -> tuple[Said, ...]:
    """The turns of messages. An assistant's message that the sample was given is part of the prompt.

    Raises RecordError where a message is no object, or its content is nothing that can be read.
    """
    said: list[Said] = []
    for message in messages:
        if not isinstance(message.node, JsonObject):
            raise RecordError("a message is no object", message.start)
        given = message.word("source") == "input"
        said += (Said(turn, scored=not given) for turn in _turns(message, texts))
        message.finish()
    return tuple(said)


def _turns(message: Record, texts: SampleTexts) -> Iterator[Turn]:
    name = message.word("role")
    role = _ROLES.get(name)
    if role is None:
        message.log.say(f"The role {name!r} is not known; the turn was left out.", message.start)
        message.skip("content")
        return
    if role is Role.TOOL:
        yield _tool_turn(message, texts)
        return
    parts: list[Part] = []
    if role is Role.ASSISTANT and (reasoning := message.string("reasoning")) is not None:
        parts.append(Part(PartKind.REASONING, *texts.text(message, reasoning)))
    for item in _items(message):
        if role is Role.ASSISTANT and item.word("type") == "tool_use":
            call, result = _server_tool(item, texts)
            yield Turn(role, (*parts, call))
            yield result
            parts = []
        else:
            parts += _parts(item, PartKind.TEXT, texts)
    if role is Role.ASSISTANT:
        parts += (_call(call, texts) for call in message.items("tool_calls"))
    yield Turn(role, tuple(parts) or (_empty(message, PartKind.TEXT),))


def _items(message: Record) -> Iterator[Record]:
    """The content as a list of parts; a string is one of them."""
    node = message.member("content")
    if isinstance(node, JsonString):
        yield message.child(node, "content")
    elif isinstance(node, JsonArray):
        yield from message.items("content")
    elif node is not None:
        raise RecordError("a message's content is neither a string, a list of parts nor null", node.start)


def _parts(item: Record, kind: PartKind, texts: SampleTexts) -> Iterator[Part]:
    if isinstance(item.node, JsonString):
        yield Part(kind, *texts.text(item, decoded(item.text, item.node)))
        return
    type_ = item.word("type")
    item.skip("internal")
    if type_ == "text":
        found = item.string("text")
        if found is not None:
            yield Part(kind, *texts.text(item, found))
        item.skip("citations", "cache_breakpoint", "refusal")
        item.finish()
    elif type_ == "reasoning":
        yield from _reasoning(item, texts)
    else:
        item.log.say(f"Content parts of the type {type_!r} were not read.", item.start)


def _reasoning(item: Record, texts: SampleTexts) -> Iterator[Part]:
    """What the model thought, or the summary where the log holds it only encrypted."""
    thought, summary = item.string("reasoning"), item.string("summary")
    redacted = item.plain("redacted") is True or not (thought and thought[0])
    if redacted and (thought or summary):
        thought = summary
        note = SUMMARY if summary else REDACTED
        texts.notes.add(note)
        item.log.say(note, item.start)
    if thought:
        yield Part(PartKind.REASONING, *texts.text(item, thought))
    item.skip("signature")
    item.finish()


def _call(call: Record, texts: SampleTexts) -> Part:
    name = call.word("function")
    node = call.member("arguments")
    text, source = ("", SourceMap(call.start, ())) if node is None else _arguments(call, node, texts)
    call.skip("type", "view", "parse_error")
    call_id = call.word("id")
    call.finish()
    return Part(PartKind.TOOL_CALL, text, source, call=ToolCall(name, text, call_id))


def _server_tool(item: Record, texts: SampleTexts) -> tuple[Part, Turn]:
    """A tool that the model's provider ran within the answer: the call, and the turn of its result."""
    name, call_id = item.word("name"), item.word("id")
    node = item.member("arguments")
    text, source = ("", SourceMap(item.start, ())) if node is None else _arguments(item, node, texts)
    call = Part(PartKind.TOOL_CALL, text, source, call=ToolCall(name, text, call_id))
    results = [
        Part(PartKind.TOOL_RESULT, *_arguments(item, result, texts))
        for key in ("result", "error")
        if (result := item.member(key)) is not None
    ]
    item.skip("type", "tool_type", "context", "internal")
    item.finish()
    return call, Turn(Role.TOOL, tuple(results) or (_empty(item, PartKind.TOOL_RESULT),), name, call_id)


def _arguments(record: Record, node: JsonNode, texts: SampleTexts) -> Text:
    if isinstance(node, JsonString):
        return texts.text(record, decoded(record.text, node))
    return texts.json(record, node)


def _tool_turn(message: Record, texts: SampleTexts) -> Turn:
    """The model is given the error of a tool in place of its result."""
    name, call_id = message.word("function"), message.word("tool_call_id")
    error = message.mapping("error")
    parts: list[Part] = []
    for item in _items(message):
        parts += _parts(item, PartKind.TOOL_RESULT, texts)
    if error is not None:
        found = error.string("message")
        error.skip("type")
        error.finish()
        if found is not None:
            parts = [Part(PartKind.TOOL_RESULT, *texts.text(message, found))]
    return Turn(Role.TOOL, tuple(parts) or (_empty(message, PartKind.TOOL_RESULT),), name, call_id)


def _empty(record: Record, kind: PartKind) -> Part:
    return Part(kind, "", SourceMap(record.start, ()))


def _verbatim(record: Record, start: int, end: int) -> Text:
    return record.text[start:end], SourceMap.verbatim(start, end - start)
