"""Ollama's API as logged: requests, answers whole or in pieces, or both in one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.text.source_map import joined
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.calls import call_part
from shiftlens.transcripts.json.messages import read_messages, with_tools
from shiftlens.transcripts.json.record import Record, RecordError
from shiftlens.transcripts.json.saved import one_after_the_other, saved_in, with_saved
from shiftlens.transcripts.json.source import JsonObject, JsonString, decoded
from shiftlens.transcripts.json.turns import Text, parts, turn
from shiftlens.transcripts.model import Part, PartKind, Role, SavedLogprobs

_OF_NO_MATTER = (
    *("stream", "options", "keep_alive", "format", "think", "context", "done", "done_reason", "raw", "template"),
    *("remote_model", "remote_host", "logprobs", "top_logprobs"),
)


def _matches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    wrapped = value.get("response")
    answer = wrapped if isinstance(wrapped, dict) else value
    message = answer.get("message")
    return (
        isinstance(answer.get("model"), str)
        and isinstance(answer.get("done"), bool)
        and (isinstance(answer.get("response"), str) or (isinstance(message, dict) and "role" in message))
    )


def _read(records: Sequence[Record]) -> Iterator[Conversation]:
    """A conversation for each answer. A request stands in the record of its answer, or in one before it."""
    request: Record | None = None
    pieces: list[Record] = []
    for record in records:
        if not isinstance(record.node, JsonObject):
            record.log.say("A line that is no object was left out.", record.start)
            continue
        inner = record.mapping("request")
        if inner is not None or record.has("messages") or record.has("prompt"):
            request = inner or record
        answer = record.mapping("response") or record
        if answer.has("done"):
            pieces.append(answer)
            if answer.plain("done") is True:
                yield from _conversation(request, pieces)
                request, pieces = None, []
        elif answer.has("error"):
            answer.log.say("An answer was an error; it was left out.", answer.start)
            request = None
        for each in {id(r): r for r in (record, answer, inner) if r is not None}.values():
            each.skip(
                *_OF_NO_MATTER, "messages", "prompt", "system", "suffix", "images", "tools", "message", "thinking"
            )
            each.skip("request", "response")
            each.finish()
    if pieces:
        pieces[0].log.say("The answer has no end (`done`) in the log.", pieces[0].start)
        yield from _conversation(request, pieces)


def _conversation(request: Record | None, pieces: Sequence[Record]) -> Iterator[Conversation]:
    try:
        asked, tools, prefix = _asked(request) if request is not None else ((), "", None)
        if request is None:
            pieces[0].log.say("The log holds an answer without what was asked.", pieces[0].start)
        found = _answer(pieces)
    except RecordError as error:
        pieces[0].log.say(f"The record was left out: {error.reason}.", error.offset)
        return
    said = Said(turn(Role.ASSISTANT, found, pieces[0].start), verbatim_prefix=prefix)
    yield Conversation((*asked, *with_saved((said,), _saved(pieces))), tools)


def _asked(request: Record) -> tuple[tuple[Said, ...], str, str | None]:
    """What the model was given, its tools and, where the request says that no template was used, the prefix itself."""
    if request.has("messages"):
        return read_messages(request.items("messages")), with_tools(request, "tools"), None
    said = [
        Said(turn(role, found, request.start))
        for role, key in ((Role.SYSTEM, "system"), (Role.USER, "prompt"))
        if (found := parts(PartKind.TEXT, request.string(key)))
    ]
    for key in ("suffix", "images", "template"):
        if request.has(key) and request.plain(key):
            request.log.left_out(request.named(key), request.start)
    raw = request.plain("raw") is True
    prompt = request.string("prompt")
    return tuple(said), "", prompt[0] if raw and prompt is not None else None


def _saved(pieces: Sequence[Record]) -> tuple[SavedLogprobs, ...]:
    """The logprobs of an answer, which each of its pieces has for its own tokens."""
    found: tuple[SavedLogprobs, ...] = ()
    for piece in pieces:
        found = one_after_the_other(found, saved_in(piece))
    return found


def _answer(pieces: Sequence[Record]) -> tuple[Part, ...]:
    """The answer of one request, whose pieces are joined."""
    thoughts: list[Text] = []
    texts: list[Text] = []
    calls: list[Part] = []
    for piece in pieces:
        message = piece.mapping("message")
        holder, key = (message, "content") if message is not None else (piece, "response")
        for texts_of, name in ((thoughts, "thinking"), (texts, key)):
            node = holder.member(name)
            if isinstance(node, JsonString):
                texts_of.append(decoded(holder.text, node))
        if message is not None:
            calls += (call_part(each) for each in message.items("tool_calls"))
            message.skip("role")
            message.finish()
    return (
        *(parts(PartKind.REASONING, joined(thoughts)) if thoughts else ()),
        *(parts(PartKind.TEXT, joined(texts)) if texts else ()),
        *calls,
    )


FORMAT = JsonFormat(
    name="ollama",
    summary='Ollama\'s API, JSON or JSONL: {"model", "messages" or "prompt", "message" or "response", "done"}',
    examples=(
        Example(
            "ollama.jsonl",
            '{"model": "m", "prompt": "Why is the sky blue?", "stream": false,'
            ' "response": "Air scatters blue light more than red.", "done": true}\n',
        ),
        Example(
            "chat.jsonl",
            '{"model": "m", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}\n'
            '{"model": "m", "message": {"role": "assistant", "content": "Air scatters blue "}, "done": false}\n'
            '{"model": "m", "message": {"role": "assistant", "content": "light more than red."}, "done": true}\n',
        ),
    ),
    evidence='"model", "done" and a message or response',
    marks=(('"model"', '"done"', '"message"'), ('"model"', '"done"', '"response"')),
    matches=_matches,
    read=_read,
    whole_file=True,
)
