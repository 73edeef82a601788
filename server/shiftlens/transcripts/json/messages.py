"""Messages as chat APIs take them: who speaks, what is said, reasoning, tool calls, tool results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.calls import CALL_ROLES, call_part, calls_of, spoken_calls, tools_in
from shiftlens.transcripts.json.parts import (
    ID_FIELDS,
    content_of,
    is_call_type,
    is_result_type,
    reasoning_fields,
    reasoning_item,
    result_turn,
)
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.saved import one_after_the_other, saved_in, saved_of_content
from shiftlens.transcripts.json.source import JsonObject
from shiftlens.transcripts.json.training import both, trained_by
from shiftlens.transcripts.model import Part, PartKind, Role, ToolCall, Trained, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

ROLES = {
    **TEMPLATE_ROLES,
    **dict.fromkeys(("human_user", "prompter", "customer"), Role.USER),
    **dict.fromkeys(("ai", "bot", "chatbot", "chatgpt", "bard", "bing", "claude", "gemini", "llm"), Role.ASSISTANT),
    **dict.fromkeys(("function_response", "function-response", "function_result", "function-result"), Role.TOOL),
    **dict.fromkeys(("tool_response", "tool-response", "tool_result", "tool-result", "tool_output"), Role.TOOL),
    **dict.fromkeys(("toolresult", "observations"), Role.TOOL),
}
"""Names of speakers in lower case."""

WHO = ("role", "from")
_WHAT = ("content", "value", "parts", "text")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A turn, or a piece of one: an item of the Responses API, or a message of one of Harmony's channels.

    A `begun` piece is taken up by the assistant's next one; an `added` piece joins the one before it.
    """

    turn: Turn
    begun: bool = False
    added: bool = False
    closed: bool = False


def read_messages(
    messages: Iterable[Record],
    *,
    who: str = "role",
    what: str = "content",
    roles: dict[str, Role] | None = None,
    silent: Role | None = None,
) -> tuple[Said, ...]:
    """The turns of a list of messages. One whose role is not known is left out, and the user told.

    `who` and `what` are the members that name the speaker and hold what was said, where the messages have them. `roles`
    are names beside `ROLES`, and `silent` is the role of messages that name none. Items of the Responses API that
    follow each other are one turn of the assistant, as are Harmony's channels. Raises RecordError where a message is
    no object, or its content is nothing that can be read.
    """
    known = {**ROLES, **roles} if roles else ROLES
    pieces: list[_Piece] = []
    for message in messages:
        if not isinstance(message.node, JsonObject):
            raise RecordError("a message is no object", message.start)
        for piece in _marked(message, _pieces(message, who, what, known, silent)):
            before = pieces[-1] if pieces else None
            if before is not None and _are_one(before, piece):
                parts = tuple(part for part in (*before.turn.parts, *piece.turn.parts) if part.text or part.call)
                turn = replace(
                    piece.turn,
                    parts=parts or piece.turn.parts,
                    trained=both(before.turn, piece.turn),
                    saved=one_after_the_other(before.turn.saved, piece.turn.saved),
                )
                pieces[-1] = replace(piece, turn=turn)
            else:
                pieces.append(piece)
        message.finish()
    return tuple(Said(piece.turn) for piece in pieces)


def _marked(message: Record, pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """The pieces of a message with its loss mask, which counts for the assistant alone."""
    every = list(pieces)
    assistants = [at for at, piece in enumerate(every) if piece.turn.role is Role.ASSISTANT]
    if assistants and (saved := (*saved_in(message), *saved_of_content(message, "content"))):
        last = every[assistants[-1]]
        every[assistants[-1]] = replace(last, turn=replace(last.turn, saved=saved))
    trained = trained_by(message) if any(piece.turn.role is Role.ASSISTANT for piece in every) else Trained.UNKNOWN
    for piece in every:
        if piece.turn.role is Role.ASSISTANT and trained is not Trained.UNKNOWN:
            yield replace(piece, turn=replace(piece.turn, trained=trained))
        else:
            yield piece


def _are_one(before: _Piece, piece: _Piece) -> bool:
    both = before.turn.role is Role.ASSISTANT and piece.turn.role is Role.ASSISTANT
    return both and (before.begun or (piece.added and not before.closed))


def _pieces(message: Record, who: str, what: str, roles: dict[str, Role], silent: Role | None) -> Iterator[_Piece]:
    named = next((key for key in (who, *WHO) if message.has(key)), None)
    name = message.word(named) if named else ""
    if named is None and silent is None and (items := _item(message)) is not None:
        yield from items
        return
    key = next((key for key in (what, *_WHAT) if message.has(key)), what)
    if name.lower() in CALL_ROLES:
        parts = tuple(spoken_calls(message, key))
        if not message.has(key):
            parts = tuple(calls_of(message))
        yield _Piece(Turn(Role.ASSISTANT, parts or (_empty(message, Role.ASSISTANT),)))
        return
    role = roles.get(name.lower()) if named else silent
    if role is None:
        what_is_wrong = f"The role {name!r} is not known" if name else "A message names no role"
        message.log.say(f"{what_is_wrong}; the turn was left out.", message.start)
        message.skip(*message.names())
        return
    message.skip("type", "status", "phase")
    if role is Role.ASSISTANT and message.has("channel"):
        yield _channel(message, key)
        return
    yield from _turns(message, key, role)


def _turns(message: Record, key: str, role: Role) -> Iterator[_Piece]:
    """The turns of a message: more than one where results of tools stand among what is said."""
    assistant = role is Role.ASSISTANT
    if key == "parts" and role is not Role.TOOL:
        # The AI SDK repeats the parts of a message under these names.
        message.skip("toolInvocations", "content", "experimental_attachments")
    speaker = message.word("name")
    call_id = ""
    if role is Role.TOOL:
        call_id = next((word for name in ID_FIELDS[:-1] if (word := message.word(name))), "")
        speaker = (speaker or message.word("tool_name") or message.word("toolName")).removeprefix("functions.")
        message.skip("is_error", "status", "recipient", "channel")
    reasoning = reasoning_fields(message) if assistant else ()
    said = content_of(message, key, role)
    if not any(isinstance(part, Turn) or part.text for part in said) and message.has("refusal"):
        said = content_of(message, "refusal", role)
    message.skip("refusal")
    calls = tuple(calls_of(message)) if assistant else ()
    parts: list[Part] = []
    yielded = False
    for found in (*_without_repeats(reasoning, said), *calls):
        if isinstance(found, Part):
            parts.append(found)
            continue
        if parts:
            yield _Piece(Turn(role, tuple(parts), speaker, call_id))
            parts = []
        yield _Piece(found)
        yielded = True
    if parts or not yielded:
        yield _Piece(Turn(role, tuple(parts) or (_empty(message, role),), speaker, call_id))


def _without_repeats(reasoning: tuple[Part, ...], said: tuple[Part | Turn, ...]) -> tuple[Part | Turn, ...]:
    """Reasoning that stands in a field and among the parts of the content is one thought."""
    within = "".join(part.text for part in said if isinstance(part, Part) and part.kind is PartKind.REASONING)
    return said if within and "".join(part.text for part in reasoning) == within else (*reasoning, *said)


def _channel(message: Record, key: str) -> _Piece:
    """A message of Harmony: analysis is reasoning, commentary with a recipient is a call, the rest is said."""
    channel, recipient = message.word("channel"), message.word("recipient")
    message.skip("content_type", "end", "name")
    if recipient and recipient not in ("all", "user", "assistant"):
        name = recipient.removeprefix("functions.")
        parts = tuple(
            replace(part, kind=PartKind.TOOL_CALL, call=ToolCall(name, part.text))
            for part in content_of(message, key, Role.ASSISTANT)
            if isinstance(part, Part)
        )
        return _Piece(Turn(Role.ASSISTANT, parts or (_empty(message, Role.ASSISTANT),)), begun=True, added=True)
    if channel == "analysis":
        found = (*reasoning_fields(message), *content_of(message, key, Role.ASSISTANT))
        parts = tuple(replace(part, kind=PartKind.REASONING) for part in found if isinstance(part, Part))
        return _Piece(Turn(Role.ASSISTANT, parts or (_empty(message, Role.ASSISTANT),)), begun=True)
    pieces = [piece.turn for piece in _turns(message, key, Role.ASSISTANT)]
    parts = tuple(part for turn in pieces for part in turn.parts)
    return _Piece(Turn(Role.ASSISTANT, parts), closed=channel == "final")


def is_item(message: Record) -> bool:
    """Whether an object is an item of the Responses API that need not name a speaker."""
    return is_item_type(message.word("type"))


def _item(message: Record) -> Iterator[_Piece] | None:
    """An item of the Responses API that names no role; None for what is no such item."""
    type_ = message.word("type")
    if type_ == "reasoning":
        parts = tuple(reasoning_item(message))
        return iter((_Piece(Turn(Role.ASSISTANT, parts), begun=True),) if parts else ())
    if is_result_type(type_):
        return iter((_Piece(result_turn(message)),))
    if is_call_type(type_):
        return iter((_Piece(Turn(Role.ASSISTANT, (call_part(message),)), begun=True, added=True),))
    if type_:
        message.log.say(f"Items of the type {type_!r} were not read.", message.start)
        message.skip(*message.names())
        return iter(())
    return None


def _empty(message: Record, role: Role) -> Part:
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    return Part(kind, "", SourceMap(message.start, ()))


def with_tools(record: Record, *keys: str) -> str:
    """The tools that a record offers under one of these names, as the JSON text of a list; "" where it has none."""
    return tools_in(record, *keys)


def has_messages(value: object, key: str, who: str, what: str | None = None) -> bool:
    """Whether a plain value has a list of messages, each of which names its speaker (and has something said)."""
    items = value.get(key) if isinstance(value, dict) else None
    return is_messages(items, who, what)


def is_messages(items: object, who: str, what: str | None = None) -> bool:
    """Whether a plain value is a list of messages, each of which names its speaker (and has something said).

    Of items of the Responses API, some need not name a speaker.
    """
    if not isinstance(items, list) or not items or not all(isinstance(m, dict) for m in items):
        return False
    if all(isinstance(m.get(who), str) and (what is None or what in m) for m in items):
        return True
    return (
        who == "role"
        and any(isinstance(m.get(who), str) for m in items)
        and all(isinstance(m.get(who), str) or is_item_type(m.get("type")) for m in items)
    )


def is_item_type(type_: object) -> bool:
    """Whether this is the type of an item of the Responses API that need not name a speaker."""
    return isinstance(type_, str) and (type_ == "reasoning" or is_call_type(type_) or is_result_type(type_))
