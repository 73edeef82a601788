"""LM Studio's saved conversations: messages with versions, of which one is selected, and answers in steps."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.json.source import JsonScalar, JsonString
from shiftlens.transcripts.json.turns import Text, call, parts, spelled, turn
from shiftlens.transcripts.model import Part, PartKind, Role, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

_OF_NO_MATTER = (
    *("name", "pinned", "preset", "plugins", "pluginConfigs", "disabledPluginTools", "clientInput", "notes"),
    *("clientInputFiles", "lastUsedModel", "looseFiles", "usePerChatPredictionConfig", "tokenCount", "forkedFrom"),
)
_OF_NO_MATTER_IN_STEPS = ("stepIdentifier", "genInfo", "prefix", "suffix", "style", "citationData", "preprocessed")
_SHOWN_ONLY = frozenset({"debugInfoBlock", "toolStatus", "status", "genInfo"})


def _matches(value: object) -> bool:
    messages = value.get("messages") if isinstance(value, dict) else None
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(isinstance(m, dict) and isinstance(m.get("versions"), list) and m["versions"] for m in messages)
    )


def _read(record: Record) -> Iterator[Conversation]:
    system = _system(record)
    turns = [Turn.of(Role.SYSTEM, *system)] if system and system[0] else []
    for message in record.items("messages"):
        turns += _turns(_selected(message))
        message.skip("role")
        message.finish()
    record.skip(*_OF_NO_MATTER)
    yield Conversation(tuple(map(Said, turns)))


def _system(record: Record) -> Text | None:
    """The system prompt: that of the chat's own settings, else of the conversation."""
    settings = record.mapping("perChatPredictionConfig")
    for field in settings.items("fields") if settings else ():
        if field.word("key") == "llm.prediction.systemPrompt":
            return field.string("value") or record.string("systemPrompt")
    return record.string("systemPrompt")


def _selected(message: Record) -> Record:
    versions = message.items("versions")
    chosen = message.member("currentlySelected")
    number = int(chosen.literal) if isinstance(chosen, JsonScalar) and chosen.literal.isdigit() else 0
    if number >= len(versions):
        raise RecordError("`currentlySelected` names no version", message.start)
    if len(versions) > 1:
        message.log.say("Versions of a message that are not selected were left out.", message.start)
    return versions[number]


def _turns(version: Record) -> Iterator[Turn]:
    role = TEMPLATE_ROLES.get(version.word("role"))
    version.skip("type", "senderInfo", "preprocessed")
    if role is None:
        version.log.say("The role of a message is not known; the turn was left out.", version.start)
        return
    found: list[Part] = []
    for item in _items(version, PartKind.TEXT):
        if isinstance(item, Part):
            found.append(item)
        else:
            if found:
                yield turn(role, found, version.start)
            yield item
            found = []
    if found or not version.has("steps"):
        yield turn(role, found, version.start)
    version.finish()


def _items(version: Record, kind: PartKind) -> Iterator[Part | Turn]:
    for item in version.items("content"):
        yield from _item(item, kind)
    for step in version.items("steps"):
        type_ = step.word("type")
        if type_ == "contentBlock":
            style = step.mapping("style")
            thinking = style is not None and style.word("type") == "thinking"
            for item in step.items("content"):
                yield from _item(item, PartKind.REASONING if thinking else kind)
            step.skip(*_OF_NO_MATTER_IN_STEPS, "roleOverride")
            step.finish()
        elif type_ not in _SHOWN_ONLY:
            step.log.say(f"Steps of the type {type_!r} were not read.", step.start)


def _item(item: Record, kind: PartKind) -> Iterator[Part | Turn]:
    type_ = item.word("type")
    if type_ == "text":
        yield from parts(kind, item.string("text"))
    elif type_ == "toolCallRequest":
        key = next((key for key in ("parameters", "arguments") if item.has(key)), "parameters")
        yield call(item.word("name"), spelled(item, key), item.start, item.word("toolCallRequestId"))
    elif type_ == "toolCallResult":
        name, call_id = item.word("name"), item.word("toolCallRequestId")
        result = item.member("content")
        found = parts(PartKind.TOOL_RESULT, spelled(item, "content"))
        if result is not None and not isinstance(result, JsonString):
            item.log.say("A tool result that is no text was read as the JSON that stands in the file.", result.start)
        yield turn(Role.TOOL, found, item.start, name, call_id)
    else:
        item.log.say(f"Parts of the type {type_!r} (pictures, files) were not read.", item.start)
        return
    item.skip("callId", "pluginIdentifier", "toolCallId")
    item.finish()


FORMAT = JsonFormat(
    name="lm-studio",
    summary='LM Studio\'s conversations: {"messages": [{"versions": [...], "currentlySelected"}]}',
    examples=(
        Example(
            "1750000000000.conversation.json",
            '{"name": "Sky", "systemPrompt": "", "messages": [\n'
            '  {"currentlySelected": 0, "versions": [{"type": "singleStep", "role": "user",\n'
            '    "content": [{"type": "text", "text": "Why is the sky blue?"}]}]},\n'
            '  {"currentlySelected": 0, "versions": [{"type": "multiStep", "role": "assistant", "steps": [\n'
            '    {"type": "contentBlock", "stepIdentifier": "1",\n'
            '     "content": [{"type": "text", "text": "Air scatters blue light more than red."}]}]}]}]}\n',
        ),
    ),
    evidence='"messages" with "versions"',
    marks=(('"versions"', '"currentlySelected"'), ('"versions"', '"singleStep"')),
    matches=_matches,
    read=each(_read),
)
