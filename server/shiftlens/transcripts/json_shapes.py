"""The shapes of JSON records that hold conversations: how each is recognised and read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.json_source import JsonArray, JsonNode, JsonObject, JsonScalar, JsonString, decoded
from shiftlens.transcripts.model import Role, Segment, SourceMap, Turn, joined, slice_of
from shiftlens.transcripts.roles import TEMPLATE_ROLES


class RecordError(ValueError):
    """A record of the right shape that can't be read, at `offset`."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Shape:
    """`keys` stand in every file of the shape; `means_to_be` gives the shape away in text that may be broken."""

    format: str
    evidence: str
    keys: tuple[str, ...]
    means_to_be: re.Pattern[str]
    matches: Callable[[JsonNode], bool]
    read: Callable[[str, JsonNode], tuple[Conversation, ...]]


def _member(node: JsonNode, name: str) -> JsonNode | None:
    return node.members.get(name) if isinstance(node, JsonObject) else None


def _turn(role: Role, text: str, node: JsonNode) -> Turn:
    """The turn whose text is a string, or the text parts of a list; null is an empty text."""
    if isinstance(node, JsonString):
        return Turn.of(role, *decoded(text, node))
    if isinstance(node, JsonScalar) and node.is_null:
        return Turn.of(role, "", SourceMap(node.start, ()))
    if isinstance(node, JsonArray):
        literals = [part for item in node.items if (part := _text_part(item)) is not None]
        return _joined(role, text, literals, node.start)
    raise RecordError("a message's content is neither a string, a list of parts nor null", node.start)


def _text_part(item: JsonNode) -> JsonString | None:
    part = item if isinstance(item, JsonString) else _member(item, "text")
    return part if isinstance(part, JsonString) else None


def _joined(role: Role, text: str, literals: list[JsonString], start: int) -> Turn:
    if not literals:
        return Turn.of(role, "", SourceMap(start, ()))
    return Turn.of(role, *joined([decoded(text, literal) for literal in literals]))


def _messages(record: JsonNode) -> JsonArray | None:
    node = record if isinstance(record, JsonArray) else _member(record, "messages")
    return node if isinstance(node, JsonArray) and node.items else None


def _is_openai(record: JsonNode) -> bool:
    messages = _messages(record)
    return messages is not None and all(isinstance(_member(m, "role"), JsonString) for m in messages.items)


def _spoken(text: str, messages: JsonArray, who: str, what: str, extra: dict[str, Role]) -> tuple[Conversation, ...]:
    said: list[Said] = []
    for message in messages.items:
        speaker = _member(message, who)
        content = _member(message, what)
        name = decoded(text, speaker)[0] if isinstance(speaker, JsonString) else ""
        role = extra.get(name) or TEMPLATE_ROLES.get(name)
        if role is None:
            raise RecordError(f"the role {name!r} is not known", speaker.start if speaker else message.start)
        if content is None:
            said.append(Said(Turn.of(role, "", SourceMap(message.start, ()))))
        else:
            said.append(Said(_turn(role, text, content)))
    return (Conversation(tuple(said)),)


def _read_openai(text: str, record: JsonNode) -> tuple[Conversation, ...]:
    """Null or missing content (a tool call) is an empty turn: context, but no response."""
    messages = _messages(record)
    return _spoken(text, messages, "role", "content", {}) if messages else ()


def _conversations(record: JsonNode) -> JsonArray | None:
    node = _member(record, "conversations")
    return node if isinstance(node, JsonArray) and node.items else None


def _is_sharegpt(record: JsonNode) -> bool:
    turns = _conversations(record)
    return turns is not None and all(
        isinstance(_member(turn, "from"), JsonString) and _member(turn, "value") is not None for turn in turns.items
    )


def _read_sharegpt(text: str, record: JsonNode) -> tuple[Conversation, ...]:
    turns = _conversations(record)
    extra = {"chatgpt": Role.ASSISTANT, "bard": Role.ASSISTANT, "bing": Role.ASSISTANT}
    return _spoken(text, turns, "from", "value", extra) if turns else ()


def _is_answer(node: JsonNode | None) -> bool:
    return isinstance(node, JsonString) or (
        isinstance(node, JsonArray) and bool(node.items) and all(isinstance(item, JsonString) for item in node.items)
    )


def _answers(node: JsonNode | None) -> list[JsonString]:
    if isinstance(node, JsonArray):
        return [item for item in node.items if isinstance(item, JsonString)]
    return [node] if isinstance(node, JsonString) else []


def _is_aligntds(record: JsonNode) -> bool:
    return isinstance(_member(record, "pure_input"), JsonString) and _is_answer(_member(record, "output"))


_EOS = "</s>"


def _read_aligntds(text: str, record: JsonNode) -> tuple[Conversation, ...]:
    """One conversation for each output. `input` is the prompt as the aligned model was given it."""
    query = _member(record, "pure_input")
    given = _member(record, "input")
    prefix = decoded(text, given)[0] if isinstance(given, JsonString) else ""
    if query is None:
        return ()
    asked = Said(_turn(Role.USER, text, query))
    read: list[Conversation] = []
    for answer in _answers(_member(record, "output")):
        turn = _turn(Role.ASSISTANT, text, answer)
        marker = _EOS if turn.text.endswith(_EOS) else None
        if marker:
            part = turn.parts[0]
            turn = Turn.of(turn.role, *slice_of(part.text, part.source, 0, len(part.text) - len(_EOS)))
        read.append(Conversation((asked, Said(turn, marker, prefix or None))))
    return tuple(read)


def _is_just_eval(record: JsonNode) -> bool:
    return (
        isinstance(_member(record, "instruction"), JsonString)
        and isinstance(_member(record, "generator"), JsonString)
        and _is_answer(_member(record, "output"))
    )


def _is_alpaca(record: JsonNode) -> bool:
    names = ("instruction", "input", "output")
    return not _is_just_eval(record) and all(isinstance(_member(record, n), JsonString) for n in names)


def _read_instruction(text: str, record: JsonNode) -> tuple[Conversation, ...]:
    """One conversation for each output; Alpaca's `input`, where not empty, follows the instruction on a new line."""
    instruction = _member(record, "instruction")
    if instruction is None:
        return ()
    asked: tuple[Said, ...] = (Said(_turn(Role.USER, text, instruction)),)
    given = _member(record, "input")
    if isinstance(given, JsonString) and given.end - given.start > 2:
        asked = _with_input(asked[0], Said(_turn(Role.USER, text, given)))
    answers = _answers(_member(record, "output"))
    return tuple(Conversation((*asked, Said(_turn(Role.ASSISTANT, text, node)))) for node in answers)


def _with_input(instruction: Said, given: Said) -> tuple[Said, ...]:
    """One user turn; the newline between its parts stands for the source between the two literals.

    Where the file has the input first, a map can't ascend, so both stay turns of their own.
    """
    before, after = instruction.turn.parts[0], given.turn.parts[0]
    gap = before.source.source_end, after.source.source_start
    if gap[0] >= gap[1]:
        return instruction, given
    newline = SourceMap(gap[0], (Segment(0, 1, gap[0], gap[1] - gap[0]),))
    parts = (before.text, before.source), ("\n", newline), (after.text, after.source)
    return (Said(Turn.of(Role.USER, *joined(parts))),)


SHAPES = (
    Shape(
        "aligntds-json",
        '"pure_input" and "output"',
        ('"pure_input"',),
        re.compile(r'"pure_input"\s*:\s*"'),
        _is_aligntds,
        _read_aligntds,
    ),
    Shape(
        "openai",
        '"messages" with roles',
        ('"role"',),
        re.compile(r'"messages"\s*:\s*\[\s*\{\s*"(?:role|content)"|\A\s*\[\s*\{\s*"role"\s*:'),
        _is_openai,
        _read_openai,
    ),
    Shape(
        "sharegpt",
        '"conversations" with "from" and "value"',
        ('"conversations"', '"from"', '"value"'),
        re.compile(r'"conversations"\s*:\s*\[\s*\{\s*"(?:from|value)"'),
        _is_sharegpt,
        _read_sharegpt,
    ),
    Shape(
        "just-eval",
        '"instruction", "output" and "generator"',
        ('"instruction"', '"output"', '"generator"'),
        re.compile(r'"instruction"\s*:\s*"'),
        _is_just_eval,
        _read_instruction,
    ),
    Shape(
        "alpaca",
        '"instruction", "input" and "output"',
        ('"instruction"', '"input"', '"output"'),
        re.compile(r'"instruction"\s*:\s*"'),
        _is_alpaca,
        _read_instruction,
    ),
)
