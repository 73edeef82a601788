"""From the text of a JSON or JSONL file to records, and to the format that they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Reading, line_number
from shiftlens.transcripts.format import JsonFormat
from shiftlens.transcripts.json.record import Log, Record, RecordError, plain
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonSourceError, parse

_TWO_RECORDS = re.compile(r"\s*(?:\{[^\n]*\}|\[[^\n]*\])[ \t\r]*\n\s*[{\[]")


@dataclass(frozen=True, slots=True)
class _Records:
    """The values of a file that were read, and the lines that are no JSON."""

    nodes: tuple[JsonNode, ...]
    broken: tuple[tuple[int, JsonSourceError], ...]
    is_lines: bool


def read_json(
    text: str, start: int, formats: Sequence[JsonFormat], forced: bool, filename: str | None = None
) -> tuple[JsonFormat, Reading] | None:
    """Read text[start:] in the first of `formats` that fits, or give None where it is no transcript.

    A line or record that can't be read among ones that can is a problem of the reading. Raises TranscriptError
    where nothing can be read though the text has the marks of a format, or is `forced` to be in one.
    """
    wanted = [f for f in formats if forced or f.may_be_in(text)]
    if not wanted or (not forced and text[start : start + 4096].lstrip()[:1] not in ("{", "[")):
        return None
    meant = forced or any(f.means_to_be and f.means_to_be.search(text, start) for f in wanted)
    by_lines = _may_be_lines(text, start, filename)
    # The standard library's reader is ten times as fast as the one that knows places, which is for transcripts only.
    found = _first_match(text, start, by_lines, wanted)
    if found is None and not meant:
        return None
    records = _records(text, start, by_lines, filename, found)
    if not records.nodes:
        if meant:
            raise _broken(text, records, forced)
        return None
    if found is None:
        if forced:
            raise TranscriptError(
                f"No record in the file has the shape of {wanted[0].name!r}: {wanted[0].evidence}.",
                "Choose another format.",
            )
        return None
    reading = _reading(text, found, records, forced)
    return None if reading is None else (found, reading)


def _first_match(text: str, start: int, by_lines: bool, formats: Sequence[JsonFormat]) -> JsonFormat | None:
    """The first format of which any record is."""
    matching: set[str] = set()
    for value in _quick_values(text, start, by_lines):
        matching.update(f.name for f in formats if f.name not in matching and f.matches(value))
    return next((f for f in formats if f.name in matching), None)


def _quick_values(text: str, start: int, by_lines: bool) -> Iterator[object]:
    """The values of the file that may be records, by the standard library's reader."""
    whole = _quick(text[start:])
    if whole is not _BROKEN:
        yield whole
        if isinstance(whole, list):
            yield from whole
    elif by_lines:
        for line in text[start:].split("\n"):
            if line.lstrip(" \t\r")[:1] in ("{", "["):
                value = _quick(line)
                if value is not _BROKEN:
                    yield value


_BROKEN = object()
# Python reads no integer of more than some thousand digits; no number matters here.
_decoder = json.JSONDecoder(parse_int=float)


def _quick(part: str) -> object:
    try:
        return _decoder.decode(part)
    except (ValueError, RecursionError):
        return _BROKEN


def _reading(text: str, chosen: JsonFormat, records: _Records, forced: bool) -> Reading | None:
    """None where most records are something else, and the user did not name the format."""
    fitting = [node for node in records.nodes if chosen.matches(plain(text, node))]
    if not chosen.whole_file and not forced and 2 * len(fitting) < len(records.nodes):
        return None
    log = Log()
    for line, error in records.broken:
        log.say_on_line(f"Not JSON ({_at(text, error)}); the line was left out.", line)
    if not chosen.whole_file and len(fitting) < len(records.nodes):
        fits = {id(node) for node in fitting}
        for node in records.nodes:
            if id(node) not in fits:
                log.say(f"The record has not the shape {chosen.evidence}; it was left out.", node.start)
    nodes = records.nodes if chosen.whole_file else fitting
    try:
        conversations = tuple(chosen.read([Record(text, node, log) for node in nodes]))
    except RecordError as error:
        raise TranscriptError(
            f"The {chosen.name} record can't be read: {error.reason}.", "Mend it.", line=line_number(text, error.offset)
        ) from None
    unit = ("line" if records.is_lines else "record") + ("s" if len(nodes) != 1 else "")
    evidence = f"{chosen.evidence} {'on' if records.is_lines else 'in'} {len(nodes)} {unit}"
    return Reading(evidence, conversations, tuple(log.problems(text)))


def _records(text: str, start: int, by_lines: bool, filename: str | None, chosen: JsonFormat | None) -> _Records:
    """By lines where the file's name or its first lines say so; a file named so that is one value is read whole."""
    if not by_lines:
        return _whole(text, start, chosen)
    lines = _by_lines(text, start)
    whole = _whole(text, start, chosen) if not lines.nodes or not _is_named_lines(filename) else None
    return whole if whole and whole.nodes else lines


def _is_named_lines(filename: str | None) -> bool:
    return bool(filename) and PurePath(filename or "").suffix.lower() in (".jsonl", ".ndjson")


def _may_be_lines(text: str, start: int, filename: str | None) -> bool:
    return _is_named_lines(filename) or _TWO_RECORDS.match(text, start) is not None


def _whole(text: str, start: int, chosen: JsonFormat | None) -> _Records:
    try:
        node = parse(text, start, len(text))
    except JsonSourceError as error:
        return _Records((), ((line_number(text, error.offset), error),), False)
    if isinstance(node, JsonArray) and not (chosen is not None and chosen.matches(plain(text, node))):
        return _Records(node.items, (), False)
    return _Records((node,), (), False)


def _by_lines(text: str, start: int) -> _Records:
    nodes: list[JsonNode] = []
    broken: list[tuple[int, JsonSourceError]] = []
    line = line_number(text, start)
    at = start
    while at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        if text[at:end].strip():
            try:
                nodes.append(parse(text, at, end))
            except JsonSourceError as error:
                broken.append((line, error))
        line += 1
        at = end + 1
    return _Records(tuple(nodes), tuple(broken), True)


def _broken(text: str, records: _Records, forced: bool) -> TranscriptError:
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
