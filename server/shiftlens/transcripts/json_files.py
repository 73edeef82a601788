"""JSON and JSONL files of conversation records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Conversation, LineCounter, Problem, Reading, line_number
from shiftlens.transcripts.json_glance import may_hold_records
from shiftlens.transcripts.json_shapes import SHAPES, RecordError, Shape
from shiftlens.transcripts.json_source import JsonArray, JsonNode, JsonSourceError, parse

_TWO_RECORDS = re.compile(r"\s*(?:\{[^\n]*\}|\[[^\n]*\])[ \t\r]*\n\s*[{\[]")


@dataclass(frozen=True, slots=True)
class _Records:
    """What a file holds: its values with their lines, and the lines that are not JSON, with where they break."""

    values: tuple[tuple[int, JsonNode], ...]
    broken: tuple[tuple[int, JsonSourceError], ...]
    is_lines: bool


def read_json(text: str, start: int, forced: str | None, filename: str | None = None) -> tuple[str, Reading] | None:
    """Read text[start:] as JSON or JSONL; the format's name with what was read, or None where it is no transcript.

    A line or record that can't be read among ones that can is a problem of the reading. Raises TranscriptError
    where nothing can be read though the text has the marks of a shape, or is `forced` to be one.
    """
    shapes = [s for s in SHAPES if (s.format == forced if forced else all(key in text for key in s.keys))]
    if not shapes or (not forced and text[start : start + 4096].lstrip()[:1] not in ("{", "[")):
        return None
    by_lines = _may_be_lines(text, start, filename)
    meant = any(shape.means_to_be.search(text, start) for shape in shapes)
    if not forced and not meant and not may_hold_records(text, start, by_lines):
        return None
    records = _records(text, start, by_lines, filename)
    if not records.values:
        if forced or meant:
            raise _broken(text, records, forced)
        return None
    chosen = next((s for s in shapes if any(s.matches(value) for _, value in records.values)), None)
    matching = sum(chosen.matches(value) for _, value in records.values) if chosen else 0
    if chosen is None or (not forced and 2 * matching < len(records.values)):
        if forced:
            raise TranscriptError(
                f"No record in the file has the shape of {forced!r}: {shapes[0].evidence}.", "Choose another format."
            )
        return None
    return chosen.format, _reading(text, chosen, records)


def _reading(text: str, shape: Shape, records: _Records) -> Reading:
    conversations: list[Conversation] = []
    problems: list[Problem] = []
    for line, error in records.broken:
        problems.append((line, f"Not JSON ({_at(text, error)}); the line was left out."))
    matching = 0
    for line, value in records.values:
        if not shape.matches(value):
            problems.append((line, f"The record has not the shape {shape.evidence}; it was left out."))
            continue
        matching += 1
        try:
            conversations.extend(shape.read(text, value))
        except RecordError as error:
            wrong = line_number(text, error.offset)
            if len(records.values) == 1 and not records.broken:
                raise TranscriptError(
                    f"The {shape.format} record can't be read: {error.reason}.", "Mend it.", line=wrong
                ) from None
            problems.append((wrong, f"The record was left out: {error.reason}."))
    unit = ("line" if records.is_lines else "record") + ("s" if matching != 1 else "")
    evidence = f"{shape.evidence} {'on' if records.is_lines else 'in'} {matching} {unit}"
    return Reading(evidence, tuple(conversations), tuple(sorted(problems)))


def _records(text: str, start: int, by_lines: bool, filename: str | None) -> _Records:
    """By lines where the file's name or its first lines say so; a file named so that is one value is read whole."""
    if not by_lines:
        return _whole(text, start)
    lines = _by_lines(text, start)
    whole = _whole(text, start) if not lines.values or not _is_named_lines(filename) else None
    return whole if whole and whole.values else lines


def _is_named_lines(filename: str | None) -> bool:
    return bool(filename) and PurePath(filename or "").suffix.lower() in (".jsonl", ".ndjson")


def _may_be_lines(text: str, start: int, filename: str | None) -> bool:
    return _is_named_lines(filename) or _TWO_RECORDS.match(text, start) is not None


def _whole(text: str, start: int) -> _Records:
    try:
        node = parse(text, start, len(text))
    except JsonSourceError as error:
        return _Records((), ((line_number(text, error.offset), error),), False)
    if isinstance(node, JsonArray) and not any(shape.matches(node) for shape in SHAPES):
        lines = LineCounter(text)
        return _Records(tuple((lines.of(item.start), item) for item in node.items), (), False)
    return _Records(((line_number(text, node.start), node),), (), False)


def _by_lines(text: str, start: int) -> _Records:
    values: list[tuple[int, JsonNode]] = []
    broken: list[tuple[int, JsonSourceError]] = []
    line = line_number(text, start)
    at = start
    while at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        if text[at:end].strip():
            try:
                values.append((line, parse(text, at, end)))
            except JsonSourceError as error:
                broken.append((line, error))
        line += 1
        at = end + 1
    return _Records(tuple(values), tuple(broken), True)


def _broken(text: str, records: _Records, forced: str | None) -> TranscriptError:
    what = "JSONL" if records.is_lines else "JSON"
    if not records.broken:
        return TranscriptError(f"The {what} file holds no record.", "Choose another format." if forced else "")
    line, error = records.broken[0]
    return TranscriptError(
        f"The file is not valid {what} ({_at(text, error)}).", f"Mend the {what} at this place.", line=line
    )


def _at(text: str, error: JsonSourceError) -> str:
    line_start = text.rfind("\n", 0, error.offset) + 1
    return f"{error.reason}, column {error.offset - line_start + 1}"
