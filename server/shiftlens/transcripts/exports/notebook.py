"""Jupyter notebooks: each text cell, and each text that a cell put out, that is a transcript by itself.

Other cells are of no matter: nothing in a notebook says who speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import SourceMap, composed, joined
from shiftlens.transcripts.conversation import Conversation, Reading
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.source import JsonArray, JsonString, decoded
from shiftlens.transcripts.registry import text_formats

_NOT_IN_CELLS = frozenset({"aider", "yaml", "aligntds-page"})
_TEXTS = ("text/markdown", "text/plain")


def _matches(value: object) -> bool:
    cells = value.get("cells") if isinstance(value, dict) and "nbformat" in value else None
    return isinstance(cells, list) and any(_is_transcript(text) for cell in cells for text in _plain_texts(cell))


def _plain_texts(cell: object) -> Iterator[str]:
    """The texts of a cell as the standard library reads it, as `_texts` finds them."""
    if not isinstance(cell, dict):
        return
    found = [cell.get("source")] if cell.get("cell_type") in ("markdown", "raw") else []
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict) and output.get("name") != "stderr":
            data = output.get("data")
            found.append(output.get("text"))
            found += [data.get(key) for key in _TEXTS] if isinstance(data, dict) else []
    for text in found:
        if isinstance(text, str):
            yield text
        elif isinstance(text, list) and all(isinstance(line, str) for line in text):
            yield "".join(text)


def _is_transcript(text: str) -> bool:
    try:
        return _reading(text.replace("\r\n", "\n")) is not None
    except TranscriptError:
        return True


def _reading(text: str) -> Reading | None:
    """What a text is as a transcript. Raises TranscriptError as its reader does."""
    formats = (one for one in text_formats() if one.name not in _NOT_IN_CELLS)
    return next((reading for one in formats if (reading := one.read(text, 0, False)) is not None), None)


def _read(record: Record) -> Iterator[Conversation]:
    record.skip(*record.names())
    for cell in record.items("cells"):
        for text, source in _texts(cell):
            try:
                reading = _reading(text)
            except TranscriptError as error:
                record.log.say(f"A cell was left out: {error}", source.source_start)
                continue
            if reading is None:
                continue
            starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
            for line, sentence in reading.problems:
                record.log.say(sentence, source.start_of(starts[min(line, len(starts)) - 1]))
            for conversation in reading.conversations:
                yield _in_file(conversation, source)


def _texts(cell: Record) -> Iterator[tuple[str, SourceMap]]:
    """The text of a cell without code, and the texts that a cell put out, each with the way to the file."""
    found = [_lines(cell, "source")] if cell.peek("cell_type") in ("markdown", "raw") else []
    for output in cell.items("outputs") if cell.kind("outputs") is JsonArray else ():
        if output.peek("name") != "stderr":
            data = output.mapping("data")
            found.append(_lines(output, "text"))
            found += [_lines(data, key) for key in _TEXTS] if data is not None else []
    yield from (text for text in found if text is not None)


def _lines(record: Record, key: str) -> tuple[str, SourceMap] | None:
    """A text that stands as one string or as a list of lines."""
    node = record.member(key)
    nodes = node.items if isinstance(node, JsonArray) else (node,)
    strings = [decoded(record.text, each) for each in nodes if isinstance(each, JsonString)]
    return joined(strings) if strings and len(strings) == len(nodes) else None


def _in_file(conversation: Conversation, source: SourceMap) -> Conversation:
    """A conversation that was read from a cell's text, with the way to the file."""
    return replace(
        conversation,
        said=tuple(
            replace(
                said,
                turn=replace(
                    said.turn,
                    parts=tuple(replace(part, source=composed(part.source, source)) for part in said.turn.parts),
                ),
            )
            for said in conversation.said
        ),
    )


FORMAT = JsonFormat(
    name="notebook",
    summary="Jupyter notebooks with cells, or outputs, whose text is a transcript: User: and Assistant:",
    examples=(
        Example(
            "chat.ipynb",
            '{"cells": [{"cell_type": "markdown", "metadata": {}, "source": [\n'
            '  "User: Why is the sky blue?\\n", "\\n", "Assistant: Air scatters blue light more than red."]}],\n'
            ' "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n',
        ),
    ),
    evidence='"cells" whose text is a transcript',
    marks=(('"cells"', '"nbformat"'),),
    matches=_matches,
    read=each(_read),
)
