"""What a message of ChatGPT's export holds, by its content type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonObject, JsonString
from shiftlens.transcripts.json.turns import call, on_lines, parts, spelled, spelled_node
from shiftlens.transcripts.model import Part, PartKind, Role

INSTRUCTIONS = frozenset({"user_editable_context", "model_editable_context"})
"""Content that is the user's standing instructions or memories, whoever is its author in the file."""


def message_parts(message: Record, role: Role, recipient: str) -> tuple[Part, ...]:
    """The parts of a message. What an assistant sends to another recipient than "all" is a tool call."""
    content = message.mapping("content")
    if content is None:
        return ()
    type_ = content.word("content_type")
    reader = _READERS.get(type_)
    if reader is None:
        content.log.say(f"Content of the type {type_!r} was not read.", content.start)
        return ()
    kind = PartKind.TOOL_RESULT if role is Role.TOOL else PartKind.TEXT
    found = tuple(reader(content, kind))
    content.finish()
    if role is Role.ASSISTANT and recipient not in ("", "all"):
        return tuple(_sent(part, recipient) if part.kind is PartKind.TEXT else part for part in found)
    return found


def _sent(part: Part, recipient: str) -> Part:
    return call(recipient, (part.text, part.source), part.source.source_start)


def _text(content: Record, kind: PartKind) -> Iterator[Part]:
    """Strings are text; other parts are pictures, sound and what was heard of it."""
    for item in content.items("parts"):
        if isinstance(item.node, JsonString):
            yield from parts(kind, spelled_node(item, item.node))
        elif isinstance(item.node, JsonObject):
            type_ = item.word("content_type")
            if type_ == "audio_transcription" or (not type_ and item.has("text")):
                yield from parts(kind, item.string("text"))
                item.skip("direction", "decoding_id")
                item.finish()
            else:
                item.log.say(f"Parts of the type {type_!r} (pictures, sound, files) were not read.", item.start)
    yield from parts(kind, content.string("text"))


def _code(content: Record, kind: PartKind) -> Iterator[Part]:
    content.skip("language", "response_format_name")
    yield from parts(kind, content.string("text"))


def _thoughts(content: Record, _kind: PartKind) -> Iterator[Part]:
    for thought in content.items("thoughts"):
        yield from parts(PartKind.REASONING, thought.string("content"))
        # `summary` is the heading under which the thought is shown, `chunks` is the content in pieces.
        thought.skip("summary", "chunks", "finished")
        thought.finish()
    content.skip("source_analysis_msg_id")


def _recap(content: Record, _kind: PartKind) -> Iterator[Part]:
    # "Thought for 5 seconds": the page says so, not the model.
    content.skip("content")
    yield from ()


def _browsed(content: Record, kind: PartKind) -> Iterator[Part]:
    content.skip("domain", "title", "tether_id", "assets", "summary", "name", "command")
    yield from parts(kind, content.string("text"), content.string("result"))


def _profile(content: Record, kind: PartKind) -> Iterator[Part]:
    yield from on_lines(kind, content.string("user_profile"), content.string("user_instructions"))


def _memory(content: Record, kind: PartKind) -> Iterator[Part]:
    keys = ("model_set_context", "repository", "repo_summary", "structured_context")
    yield from on_lines(kind, *(spelled(content, key) for key in keys))


_READERS: dict[str, Callable[[Record, PartKind], Iterator[Part]]] = {
    "": _text,
    "text": _text,
    "multimodal_text": _text,
    "code": _code,
    "execution_output": _code,
    "thoughts": _thoughts,
    "reasoning_recap": _recap,
    "tether_browsing_display": _browsed,
    "tether_quote": _browsed,
    "system_error": _browsed,
    "user_editable_context": _profile,
    "model_editable_context": _memory,
}
