"""Where records hold logprobs of an answer, under the names that servers and logs give them.

They are kept as the JSON text that the file has: what they say is read where it is wanted (`shiftlens.saved`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonObject
from shiftlens.transcripts.model import Role, SavedKind, SavedLogprobs, Turn

_GEMINI = ("logprobsResult", "logprobs_result")
_PROMPT = "prompt_logprobs"


def saved_in(record: Record, model: str = "") -> tuple[SavedLogprobs, ...]:
    """The logprobs that an object holds of the answer in it: those of generated tokens before those of a prompt."""
    return tuple(replace(found, model=found.model or model) for found in _found(record))


def _found(record: Record) -> Iterator[SavedLogprobs]:
    said_by = record.word("model")
    node = _filled(record, "logprobs")
    if isinstance(node, JsonObject):
        for key, kind in (("content", SavedKind.CHAT), ("tokens", SavedKind.COMPLETIONS)):
            if isinstance(node.members.get(key), JsonArray):
                yield _saved(record, node, kind, said_by)
                break
    elif isinstance(node, JsonArray):
        named = all(isinstance(item, JsonObject) for item in node.items)
        yield _saved(record, node, SavedKind.ITEMS if named else SavedKind.NUMBERS, said_by)
    for key in _GEMINI:
        if isinstance(node := _filled(record, key), JsonObject):
            yield _saved(record, node, SavedKind.GEMINI, said_by)
    node = _filled(record, "meta_info")
    if isinstance(node, JsonObject) and "output_token_logprobs" in node.members:
        yield _saved(record, node, SavedKind.SGLANG, said_by)
    yield from prompt_logprobs(record, said_by)


def prompt_logprobs(record: Record, model: str = "") -> tuple[SavedLogprobs, ...]:
    """The logprobs that an object holds of a whole prompt, in which an answer may stand."""
    node = _filled(record, _PROMPT)
    if isinstance(node, JsonObject):
        # Inspect has them in the shape of generated ones.
        return (_saved(record, node, SavedKind.CHAT, model),)
    return (_saved(record, node, SavedKind.PROMPT, model),) if node is not None else ()


def saved_of_content(message: Record, key: str) -> tuple[SavedLogprobs, ...]:
    """The logprobs of the parts of a message of the Responses API, one after the other."""
    pieces: list[str] = []
    start = message.start
    if message.kind(key) is JsonArray:
        for part in message.items(key):
            node = _filled(part, "logprobs") if isinstance(part.node, JsonObject) else None
            if isinstance(node, JsonArray):
                start = start if pieces else node.start
                pieces.append(message.text[node.start : node.end])
    return (SavedLogprobs(SavedKind.ITEMS, tuple(pieces), "", start),) if pieces else ()


def with_saved(said: Iterable[Said], saved: tuple[SavedLogprobs, ...]) -> tuple[Said, ...]:
    """The turns of one answer with the logprobs that stand beside it; they are those of its last assistant's turn."""
    every = tuple(said)
    if not saved:
        return every
    last = max((at for at, each in enumerate(every) if each.turn.role is Role.ASSISTANT), default=None)
    return tuple(
        replace(each, turn=replace(each.turn, saved=(*each.turn.saved, *saved))) if at == last else each
        for at, each in enumerate(every)
    )


def with_model(turn: Turn, model: str) -> Turn:
    """The turn, with the name of the model that its logprobs are of where none of them has one."""
    if not model or all(saved.model for saved in turn.saved):
        return turn
    return replace(turn, saved=tuple(replace(saved, model=saved.model or model) for saved in turn.saved))


def one_after_the_other(
    first: tuple[SavedLogprobs, ...], second: tuple[SavedLogprobs, ...]
) -> tuple[SavedLogprobs, ...]:
    """The logprobs of a turn whose two pieces have these."""
    if len(first) == len(second) == 1 and first[0].kind is second[0].kind:
        return (replace(first[0], pieces=(*first[0].pieces, *second[0].pieces)),)
    return (*first, *second)


def _filled(record: Record, key: str) -> JsonNode | None:
    """The member of this name, where it is an object or a list that is not empty; it counts as read."""
    if record.kind(key) not in (JsonObject, JsonArray):
        return None
    node = record.member(key)
    filled = (isinstance(node, JsonObject) and node.members) or (isinstance(node, JsonArray) and node.items)
    return node if filled else None


def _saved(record: Record, node: JsonNode, kind: SavedKind, model: str) -> SavedLogprobs:
    return SavedLogprobs(kind, (record.text[node.start : node.end],), model, node.start)
