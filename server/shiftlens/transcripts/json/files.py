"""From the text of a JSON or JSONL file to records, and to the format that they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Reading, first_conversations, line_number
from shiftlens.transcripts.format import JsonFormat
from shiftlens.transcripts.json.record import Log, Record, RecordError, plain
from shiftlens.transcripts.json.source import JsonArray, JsonNode, JsonSourceError, Leniency, parse, parse_leniently

_TWO_RECORDS = re.compile(r"\s*(?:\{[^\n]*\}|\[[^\n]*\]),?[ \t\r]*\n\s*[{\[]")
_GAP = r"(?:\s|//[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*"
# `[INST]` and a link of Markdown begin no list.
_OPENING = re.compile(rf"{_GAP}(?:\{{{_GAP}(?:[\"'}}]|\Z)|\[{_GAP}(?:[\"'{{\[\]0-9-]|true|false|null|NaN|\Z))")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEAD = 65_536
_TOLD = 20
_PYTHON = re.compile(r"\s*\[?\s*\{\s*'")


@dataclass(frozen=True, slots=True)
class _Records:
    """The values of a file that were read, the lines that are no JSON, and where near-JSON was passed over."""

    nodes: tuple[JsonNode, ...]
    broken: tuple[tuple[int, JsonSourceError], ...]
    is_lines: bool
    passed: Leniency = field(default_factory=Leniency)


def read_json(
    text: str, start: int, formats: Sequence[JsonFormat], forced: bool, filename: str | None = None
) -> tuple[JsonFormat, Reading] | None:
    """Read text[start:] in the first of `formats` that most records fit, or give None where it is no transcript.

    A line or record that can't be read among ones that can is a problem of the reading; so are comments and commas too
    many, which are passed over. Raises TranscriptError where nothing can be read though the text has the marks of a
    format, or is `forced` to be in one.
    """
    if not forced and not _OPENING.match(text, start):
        return None
    if not forced and _PYTHON.match(text, start):
        _refuse_python(text, start, formats)
    wanted = [f for f in formats if forced or f.may_be_in(text)]
    if not wanted:
        return None
    meant = forced or _is_meant(text, start, wanted)
    by_lines = _may_be_lines(text, start, filename)
    # The standard library's reader is ten times as fast as the one that knows places, which is for transcripts only.
    values = _quick_values(text, start, by_lines)
    found = _best(values, wanted, forced)
    if found is None and not meant:
        if values or by_lines:
            return None
        meant = _is_meant(_COMMENT.sub("", text[start : start + _HEAD]), 0, wanted)
        meant = meant or _is_unescaped(text, start, wanted)
        if not meant and not _may_be_near_json(text, start):
            return None
    records = _records(text, start, by_lines, filename, wanted if found is None else [found])
    if found is None:
        found = _best([plain(text, node) for node in records.nodes], wanted, forced)
    if found is None and not meant:
        return None
    if not records.nodes:
        raise _broken(text, records, forced)
    if found is None:
        if forced:
            raise TranscriptError(
                f"No record in the file has the shape of {wanted[0].name!r}: {wanted[0].evidence}.",
                "Choose another format.",
            )
        return None
    reading = _reading(text, found, records, forced)
    return None if reading is None else (found, reading)


def _is_meant(text: str, start: int, formats: Sequence[JsonFormat]) -> bool:
    return any(f.means_to_be is not None and f.means_to_be.search(text, start) for f in formats)


def _best(values: Sequence[object], formats: Sequence[JsonFormat], forced: bool) -> JsonFormat | None:
    """The first format that most values are in; else the first that any is in.

    A list that is the file's one value comes first in `values`, before its items.
    """
    items = len(values) - 1 if values and values[0] is not None and isinstance(values[0], list) else len(values)
    some: JsonFormat | None = None
    for candidate in formats:
        count = 0
        for at, value in enumerate(values):
            if candidate.matches(value):
                if at == 0 and isinstance(value, list):
                    return candidate
                count += 1
        if count and candidate.together is not None and not forced and not candidate.together(values):
            continue
        if count and (candidate.whole_file or 2 * count >= items):
            return candidate
        some = some or (candidate if count else None)
    return some


def _quick_values(text: str, start: int, by_lines: bool) -> list[object]:
    """The values of the file that may be records, by the standard library's reader."""
    whole = _quick(text[start:])
    if whole is not _BROKEN:
        return [whole, *whole] if isinstance(whole, list) else [whole]
    values: list[object] = []
    if by_lines:
        for line in text[start:].split("\n"):
            if line.lstrip(" \t\r")[:1] in ("{", "["):
                value = _quick(line)
                if value is _BROKEN and line.rstrip(" \t\r").endswith(","):
                    value = _quick(line.rstrip(" \t\r")[:-1])
                if value is not _BROKEN:
                    values.append(value)
    return values


_BROKEN = object()
# Python reads no integer of more than some thousand digits; no number matters here.
_decoder = json.JSONDecoder(parse_int=float)


def _quick(part: str) -> object:
    try:
        return _decoder.decode(part)
    except (ValueError, RecursionError):
        return _BROKEN


def _is_unescaped(text: str, start: int, formats: Sequence[JsonFormat]) -> bool:
    """Whether the text is in a format but for line breaks and tabs that stand in strings as they are."""
    try:
        value = json.JSONDecoder(strict=False, parse_int=float).decode(text[start:])
    except (ValueError, RecursionError):
        return False
    return _best([value, *value] if isinstance(value, list) else [value], formats, False) is not None


def _may_be_near_json(text: str, start: int) -> bool:
    """Whether the standard library's reader stops at what near-JSON has: a comment, a comma too many, another value."""
    try:
        _decoder.decode(text[start:])
    except json.JSONDecodeError as error:
        at = start + error.pos
        return text[at : at + 64].lstrip()[:1] in tuple("/,]}[{")
    except (ValueError, RecursionError):
        return False
    return True


def _reading(text: str, chosen: JsonFormat, records: _Records, forced: bool) -> Reading | None:
    """None where most records are something else, and the user did not name the format."""
    fitting = [node for node in records.nodes if chosen.matches(plain(text, node))]
    if not chosen.whole_file and not forced and 2 * len(fitting) < len(records.nodes):
        return None
    log = Log()
    if records.passed.comment is not None:
        log.say("JSON has no comments; those in the file were passed over.", records.passed.comment)
    if records.passed.comma is not None:
        log.say("A comma stands where JSON has none; such commas were passed over.", records.passed.comma)
    for line, error in records.broken[:_TOLD]:
        log.say_on_line(f"Not JSON ({_at(text, error)}); the line was left out.", line)
    if others := records.broken[_TOLD:]:
        log.say_on_line(f"Not JSON, as {len(others) - 1:,} lines after it; they were left out.", others[0][0])
    if not chosen.whole_file and len(fitting) < len(records.nodes):
        fits = {id(node) for node in fitting}
        for node in records.nodes:
            if id(node) not in fits:
                log.say(f"The record has not the shape {chosen.evidence}; it was left out.", node.start)
    nodes = records.nodes if chosen.whole_file else fitting
    try:
        read = chosen.read([Record(text, node, log) for node in nodes])
        conversations, more = first_conversations(text, read)
    except RecordError as error:
        raise TranscriptError(
            f"The {chosen.name} record can't be read: {error.reason}.", "Mend it.", line=line_number(text, error.offset)
        ) from None
    for line, told in more:
        log.say_on_line(told, line)
    unit = ("line" if records.is_lines else "record") + ("s" if len(nodes) != 1 else "")
    evidence = f"{chosen.evidence} {'on' if records.is_lines else 'in'} {len(nodes)} {unit}"
    return Reading(evidence, conversations, tuple(log.problems(text)))


def _records(text: str, start: int, by_lines: bool, filename: str | None, wanted: Sequence[JsonFormat]) -> _Records:
    """By lines where the file's name or its first lines say so; a file named so that is one value is read whole."""
    if not by_lines:
        return _whole(text, start, wanted)
    lines = _by_lines(text, start)
    if lines.nodes and not lines.broken:
        return lines
    whole = _whole(text, start, wanted) if not lines.nodes or not _is_named_lines(filename) else None
    return whole if whole and whole.nodes else lines


def _is_named_lines(filename: str | None) -> bool:
    return bool(filename) and PurePath(filename or "").suffix.lower() in (".jsonl", ".ndjson")


def _may_be_lines(text: str, start: int, filename: str | None) -> bool:
    return _is_named_lines(filename) or _TWO_RECORDS.match(text, start) is not None


def _whole(text: str, start: int, wanted: Sequence[JsonFormat]) -> _Records:
    """The file as one value, as near-JSON, or as several values that follow each other."""
    passed = Leniency()
    try:
        nodes: tuple[JsonNode, ...] = (parse(text, start, len(text)),)
    except JsonSourceError:
        try:
            nodes, passed = parse_leniently(text, start, len(text))
        except JsonSourceError as error:
            return _Records((), ((line_number(text, error.offset), error),), False)
    only = nodes[0] if len(nodes) == 1 else None
    if isinstance(only, JsonArray):
        value = plain(text, only)
        nodes = nodes if any(f.matches(value) for f in wanted) else only.items
    return _Records(nodes, (), False, passed)


def _by_lines(text: str, start: int) -> _Records:
    nodes: list[JsonNode] = []
    broken: list[tuple[int, JsonSourceError]] = []
    all_passed = Leniency()
    line = line_number(text, start)
    at = start
    while at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        if text[at:end].strip():
            try:
                nodes.append(parse(text, at, end))
            except JsonSourceError as error:
                try:
                    found, passed = parse_leniently(text, at, end)
                except JsonSourceError as lenient_error:
                    broken.append((line, max(error, lenient_error, key=lambda e: e.offset)))
                else:
                    nodes += found
                    all_passed = all_passed.earliest(passed)
        line += 1
        at = end + 1
    return _Records(tuple(nodes), tuple(broken), True, all_passed)


def _refuse_python(text: str, start: int, formats: Sequence[JsonFormat]) -> None:
    """Raise TranscriptError for records as Python prints them: they look like JSON, and are none."""
    quoted = text[start : start + 4096].replace("'", '"')
    if any(f.means_to_be and f.means_to_be.search(quoted) for f in formats):
        at = text.index("'", start)
        raise TranscriptError(
            "The file holds records as Python prints them, in single quotes, which is no JSON.",
            "Write them with `json.dumps`.",
            line=line_number(text, at),
        )


def _broken(text: str, records: _Records, forced: bool) -> TranscriptError:
    what = "JSONL" if records.is_lines else "JSON"
    if not records.broken:
        return TranscriptError(f"The {what} file holds no record.", "Choose another format." if forced else "")
    line, error = records.broken[0]
    remedy = f"Mend the {what} at this place."
    if "inside a string, where" in error.reason:
        remedy += " Programs do so where they write records with a JSON library."
    return TranscriptError(f"The file is not valid {what} ({_at(text, error)}).", remedy, line=line)


def _at(text: str, error: JsonSourceError) -> str:
    line_start = text.rfind("\n", 0, error.offset) + 1
    return f"{error.reason}, column {error.offset - line_start + 1}"
